import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect } from 'chai'
import Koa from 'koa'
import { languageOf } from '../../../src/http/edge/language.js'

describe('the language of a request', () => {
  const koa = new Koa()
  let looks: number
  const ask = (header: string | undefined): string => {
    const req = new IncomingMessage(new Socket())
    if (header !== undefined) req.headers['accept-language'] = header
    const { request, acceptsLanguages } = koa.createContext(req, new ServerResponse(req))
    const counted = {
      req,
      request,
      get acceptsLanguages() {
        looks += 1
        return acceptsLanguages
      },
    }
    return languageOf(counted)
  }

  beforeEach(() => {
    // What tests before asked for is forgotten: as many others take its place.
    for (let at = 0; at < 200; at += 1) ask(`y-${at}`)
    looks = 0
  })

  it('is looked for once a header, and each header has its own', () => {
    const headers = ['en, de', 'en;q=0.4, zh', 'de', 'de, en', '', 'EN']
    const first = headers.map(ask)
    expect(looks).to.equal(headers.length)
    expect([...headers].reverse().map(ask)).to.deep.equal([...first].reverse())
    expect(looks).to.equal(headers.length)
    expect(first).to.include.members(['en', 'zh-CN'])
    expect(ask(undefined)).to.equal('zh-CN')
    expect(looks).to.equal(headers.length)
  })

  it('is remembered for 200 headers, those of last', () => {
    for (let at = 0; at <= 200; at += 1) ask(`x-${at}`)
    looks = 0
    ask('x-1')
    expect(looks).to.equal(0)
    ask('x-0')
    expect(looks).to.equal(1)
  })

  it('is looked for each time where the header is long', () => {
    const long = `en, ${'x'.repeat(97)}`
    expect([ask(long), ask(long)]).to.deep.equal(['en', 'en'])
    expect(looks).to.equal(2)
  })
})
