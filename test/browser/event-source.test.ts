import type { Socket } from 'node:net'
import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { type PageServer, servePage } from '../support/page-server.js'
import { scripted, text } from '../support/scripted-backend.js'
import { until } from '../support/until.js'

interface Seen {
  readonly ids: string[]
  text: string
  done: number
  opened: number
  closed: boolean
}

/** What the page of the test remembers. */
declare global {
  var seenByEventSource: Seen
}

/** ms between two looks, which would be one each frame: an EventSource waits seconds before it connects again */
const SELDOM = { polling: 50 }

describe('a plain EventSource', function () {
  this.timeout(60_000)
  let pages: PageServer
  let browser: Browser | undefined
  let page: Page
  let edge: Edge
  const sockets: Socket[] = []
  let goOn: () => void = () => undefined
  const pieces = ['grüße ', '你好 🎈 ', 'again ', 'end']

  before(async function () {
    browser = await browserOrSkip(this)
    pages = await servePage()
    const told = scripted('direct_llm', async function* () {
      for (const piece of pieces) {
        yield [text(piece)]
        await new Promise<void>((resolve) => {
          goOn = resolve
        })
      }
    })
    edge = await startEdge({
      corsOrigins: [pages.origin],
      reconnectGraceMs: 60_000,
      backends: { direct_llm: told },
    })
    edge.server.on('connection', (socket) => sockets.push(socket))
    page = await browser.newPage()
    await page.goto(pages.origin)
  })
  after(async () => {
    await browser?.close()
    if (browser === undefined) return
    pages.close()
    await edge.close()
  })

  it('reads a turn by its token, comes back where its connection broke, and stops at the end', async () => {
    await page.evaluate(
      async ({ url, authorization }) => {
        const begun = await fetch(`${url}/api/v1/chat/start`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/json' },
          body: JSON.stringify({ agentId: 'assistant', message: 'Hi' }),
        })
        const [id, token] = ['X-Chat-Stream-Id', 'X-Chat-Stream-Token'].map((name) => begun.headers.get(name))
        const seen: Seen = { ids: [], text: '', done: 0, opened: 0, closed: false }
        globalThis.seenByEventSource = seen
        const stream = new EventSource(`${url}/api/v1/chat/streams/${id}?token=${token}`)
        await begun.body?.cancel()
        stream.onopen = () => {
          seen.opened += 1
        }
        stream.onmessage = ({ data, lastEventId }) => {
          seen.ids.push(lastEventId)
          seen.text += JSON.parse(data).data.content
        }
        stream.addEventListener('done', (event) => {
          const lastEventId = String(Reflect.get(event, 'lastEventId'))
          seen.ids.push(lastEventId)
          seen.done += 1
        })
        // It is never closed: the service has to stop it.
        stream.onerror = () => {
          seen.closed = stream.readyState === EventSource.CLOSED
        }
      },
      { url: edge.url, authorization: await bearer() },
    )
    const seen = (): Promise<Seen> => page.evaluate(() => globalThis.seenByEventSource)
    for (const [at] of pieces.entries()) {
      await page.waitForFunction((count) => globalThis.seenByEventSource.ids.length >= count, at + 1, SELDOM)
      if (at < 2) for (const socket of sockets.splice(0)) socket.destroy()
      goOn()
    }
    await page.waitForFunction(() => globalThis.seenByEventSource.closed, undefined, SELDOM)
    expect(await seen()).to.deep.equal({
      ids: ['1', '2', '3', '4', '5'],
      text: pieces.join(''),
      done: 1,
      opened: 3,
      closed: true,
    })
    await until('the turn to be over', () => edge.turns.count === 0)
  })
})
