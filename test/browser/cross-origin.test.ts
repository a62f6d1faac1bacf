import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { parseEvents } from '../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { type PageServer, servePage } from '../support/page-server.js'

/** What a page got for its POST: what it may read of it, or that the browser refused. */
interface Seen {
  readonly status: number
  readonly streamId: string | null
  readonly requestId: string | null
  readonly body: string
  readonly refused: boolean
}

describe('a page of another origin', function () {
  this.timeout(60_000)
  let pages: PageServer
  let browser: Browser | undefined
  let page: Page
  let edge: Edge
  let allowed = ''
  let preflights = 0

  before(async function () {
    browser = await browserOrSkip(this)
    pages = await servePage()
    allowed = pages.origin
    edge = await startEdge({ corsOrigins: [allowed] })
    edge.server.on('request', ({ method }) => {
      if (method === 'OPTIONS') preflights += 1
    })
    page = await browser.newPage()
  })
  after(async () => {
    await browser?.close()
    if (browser === undefined) return
    pages.close()
    await edge.close()
  })

  const post = async (origin: string, authorization: string): Promise<Seen> => {
    await page.goto(`${origin}/`)
    return page.evaluate(postFromPage, { url: `${edge.url}/api/v1/chat/start`, authorization })
  }

  it('reads the stream, its headers and its errors, and asks once', async () => {
    const authorization = await bearer()
    const seen = await post(allowed, authorization)
    expect(seen).to.include({ status: 200, refused: false })
    expect(seen.streamId).to.match(/^[\da-f-]{36}$/)
    expect(seen.requestId).to.be.a('string')
    expect(parseEvents(seen.body).at(-1)?.event).to.equal('done')
    const asked = preflights
    expect(asked).to.be.greaterThan(0)
    expect(await post(allowed, authorization)).to.include({ status: 200 })
    expect(preflights).to.equal(asked)
    const unauthorized = await post(allowed, 'Bearer nonsense')
    expect(unauthorized).to.include({ status: 401, refused: false })
    expect(unauthorized.body).to.include('"success":false')
  })

  it('is refused by the browser where its origin is not listed', async () => {
    const other = allowed.replace('127.0.0.1', 'localhost')
    expect(await post(other, await bearer())).to.include({ refused: true })
  })
})

/** Runs in the page. */
async function postFromPage({ url, authorization }: { url: string; authorization: string }): Promise<Seen> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'assistant', message: 'Hello', parentMessageId: 'm-1' }),
    })
    const { status, headers } = response
    return {
      status,
      streamId: headers.get('x-chat-stream-id'),
      requestId: headers.get('x-request-id'),
      body: await response.text(),
      refused: false,
    }
  } catch {
    return { status: 0, streamId: null, requestId: null, body: '', refused: true }
  }
}
