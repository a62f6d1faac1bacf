import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { Finding } from '../../../src/cli/doctor/finding.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { runCli } from '../../support/cli.js'

const CHECKS = [
  'GET /health: ok',
  'a turn: ok',
  'the stream: ok',
  'a tool turn: ok',
  'the second turn: ok',
  'the fence of shadows: ok',
  'a bad body: ok',
  'cancel: ok',
  'cancel of a running turn: ok',
  'pings: skipped',
]

describe('chat-cutover runtime-check', () => {
  let runtime: Simulator
  before(async () => {
    runtime = await startRuntimeSimulator()
  })
  after(() => runtime.close())

  async function check(faults: Faults) {
    runtime.faults = faults
    const { code, out } = await runCli(['runtime-check', runtime.url, '--json'])
    const { findings } = JSON.parse(out) as { findings: Finding[] }
    const found = (wanted: string) => findings.find((finding) => finding.check === wanted)
    return { code, findings, found }
  }

  it('finds nothing wrong with a runtime that does what the service asks', async () => {
    const { code, findings } = await check({ honourShadow: true, gapMs: 20 })
    expect(findings.map(({ check: name, result }) => `${name}: ${result}`)).to.deep.equal(CHECKS)
    expect(code).to.equal(0)
  })

  it('asks with the user and the password of the address, as the service does, and shows neither', async () => {
    runtime.faults = { honourShadow: true }
    const before = runtime.requests.length
    const { code, out, err } = await runCli([
      'runtime-check',
      runtime.url.replace('//', '//me:hunter2@'),
      '--json',
    ])
    expect([code, err]).to.deep.equal([0, ''])
    expect(out).not.to.contain('hunter2')
    const sent = runtime.requests.slice(before).map(({ headers }) => headers.authorization)
    expect(new Set(sent)).to.deep.equal(new Set([`Basic ${Buffer.from('me:hunter2').toString('base64')}`]))
  })

  it('sends a second turn as the service does, its history ending with the present message, and a shadow with its marks', async () => {
    await check({ honourShadow: true })
    const bodies = runtime.requests.map(({ body, headers }) => ({ body: JSON.stringify(body), headers }))
    expect(bodies.some(({ body }) => /QUINCE alone.*QUINCE.*MEDLAR alone/.test(body))).to.equal(true)
    expect(
      bodies.some(({ body, headers }) => headers['x-chat-shadow'] === '1' && body.includes('shadow')),
    ).to.equal(true)
  })

  it('warns where shadows are not fenced, and says what to do', async () => {
    const { code, found } = await check({})
    expect(found('the fence of shadows')).to.include({ result: 'warning' })
    expect(found('the fence of shadows')?.advice).to.contain('CHAT_SHADOW_REQUIRE_FENCE')
    expect(code).to.equal(0)
  })

  const faulty: [string, Faults, string, RegExp][] = [
    ['a runtime that refuses turns', { status: 503 }, 'a turn', /answers 503/],
    ['an answer that breaks off', { dropAfterEvents: 2 }, 'a turn', /./],
    ['an answer without text', { events: 0 }, 'a turn', /no text/],
    ['frames that are no JSON', { garbage: true }, 'a turn', /cannot be read/],
    ['a number that JSON does not have', { nan: true }, 'a turn', /cannot be read/],
    ['an error', { errorEvent: true }, 'a turn', /execution_error/],
  ]
  for (const [what, faults, wanted, text] of faulty)
    it(`finds ${what}`, async () => {
      const { code, found } = await check(faults)
      expect(found(wanted)).to.include({ result: 'fault' })
      expect(found(wanted)?.text).to.match(text)
      expect(found(wanted)?.advice).to.not.equal(undefined)
      expect(code).to.equal(1)
    })

  it('finds one that is not there, in Chinese too', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const { code, out } = await runCli(['runtime-check', `http://127.0.0.1:${port}`, '--lang', 'zh-CN'])
    expect(out).to.contain('ECONNREFUSED').and.to.contain('请确认 runtime 已启动且地址正确')
    expect(code).to.equal(1)
  })

  it('takes an http address alone', async () => {
    const { code, err } = await runCli(['runtime-check', 'localhost:8000'])
    expect(err).to.contain('"localhost:8000" is no http address')
    expect(code).to.equal(2)
  })

  describe('of a runtime that is written by hand', () => {
    /** Answers to turns with these frames; the others calls as they should be. */
    async function checkFrames(frames: string, headers: Record<string, string> = {}) {
      const server = createServer((request, response) => {
        const chunks: Buffer[] = []
        request.on('data', (chunk: Buffer) => chunks.push(chunk))
        request.on('end', () => {
          if (request.url === '/health') response.end('{"status":"healthy"}')
          else if (request.url?.endsWith('/cancel') === true) response.end('{"cancelled":false}')
          else if (!Buffer.concat(chunks).includes('user_message')) response.writeHead(422).end('{}')
          else {
            const id = String(request.headers['x-request-id'])
            response.writeHead(200, { 'content-type': 'text/event-stream', 'x-request-id': id, ...headers })
            response.end(frames)
          }
        })
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port } = server.address() as AddressInfo
      try {
        const { out } = await runCli(['runtime-check', `http://127.0.0.1:${port}`, '--json'])
        const { findings } = JSON.parse(out) as { findings: Finding[] }
        return (wanted: string) => findings.find((finding) => finding.check === wanted)
      } finally {
        await new Promise((resolve) => server.close(resolve))
      }
    }
    const frame = (event: string, data: object, end = '\r\n'): string =>
      `data: ${JSON.stringify({ event, data })}${end}${end}`
    const hello = frame('text_chunk', { content: 'Hello' })
    const complete = `${frame('execution_complete', {})}data: [DONE]\r\n\r\n`

    it('says which fields an event lacks', async () => {
      const found = await checkFrames(`${frame('tool_call_complete', { tool_name: 'x' })}${hello}${complete}`)
      expect(found('the stream')).to.include({ result: 'fault' })
      expect(found('the stream')?.text).to.match(/^tool_call_complete: success/)
    })

    it('says which calls never end', async () => {
      const found = await checkFrames(
        `${frame('tool_call_start', { tool_name: 'search' })}${hello}${complete}`,
      )
      expect(found('a tool turn')).to.include({ result: 'fault', text: 'began and never ended: tool search' })
      expect(found('the stream')).to.include({ result: 'ok', text: 'its lines end with CRLF' })
    })

    it('says what the stream has of its own', async () => {
      const mixed = await checkFrames(`${frame('thinking', { content: 'hm' }, '\n')}${hello}${complete}`)
      expect(mixed('the stream')).to.include({
        result: 'warning',
        text: 'the lines end in CRLF and LF, mixed',
      })
      const unknown = await checkFrames(`${frame('text_chunks', {})}${hello}${complete}`)
      expect(unknown('the stream')?.text).to.equal('events that the service skips: text_chunks')
      const open = await checkFrames(`${hello}${frame('execution_complete', {})}`)
      expect(open('the stream')?.text).to.match(/does not end with data: \[DONE\]/)
      const nameless = await checkFrames(`${hello}${complete}`, { 'x-request-id': 'another' })
      expect(nameless('the stream')?.text).to.equal('X-Request-ID is not echoed')
    })

    it('skips what it cannot see: no tool was used, the turn was over before the cancel, no ping was due', async () => {
      const found = await checkFrames(`${hello}${complete}`)
      for (const name of ['a tool turn', 'cancel of a running turn', 'pings'])
        expect(found(name), name).to.include({ result: 'skipped' })
      expect(found('a tool turn')?.text).to.contain('--tool-question')
      expect(found('the second turn')).to.include({ result: 'warning' })
    })
  })
})
