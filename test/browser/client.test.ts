import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import type * as Client from '../../src/client/index.js'
import { browserOrSkip } from '../support/browser.js'
import { bundled, CLIENT } from '../support/client-bundle.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { type PageServer, servePage } from '../support/page-server.js'
import { answeringOrWaiting } from '../support/scripted-backend.js'
import { until } from '../support/until.js'

/** What the page that the test serves has of the client. */
declare global {
  var chatClient: typeof Client
}

describe('the client in a browser', function () {
  this.timeout(60_000)
  let pages: PageServer
  let browser: Browser | undefined
  let page: Page
  let edge: Edge

  before(async function () {
    browser = await browserOrSkip(this)
    pages = await servePage(
      '<script type="module">globalThis.chatClient = await import("/page.js")</script>',
      await bundled(CLIENT),
    )
    const slow = answeringOrWaiting('direct_llm', 'grüße ', '你好 🎈')
    edge = await startEdge({ corsOrigins: [pages.origin], backends: { direct_llm: slow } })
    page = await browser.newPage()
    await page.goto(pages.origin)
    await page.waitForFunction(() => globalThis.chatClient !== undefined)
  })
  after(async () => {
    await browser?.close()
    if (browser === undefined) return
    pages.close()
    await edge.close()
  })

  const asked = async () => ({ baseUrl: edge.url, token: (await bearer()).replace('Bearer ', '') })

  it('answers a turn from another origin, and goes on with its session', async () => {
    const seen = await page.evaluate(
      async (options) => {
        const chat = globalThis.chatClient.createChatClient({ ...options, language: 'en' })
        const kinds: string[] = []
        let sessionId = ''
        for await (const event of chat.start({ agentId: 'assistant', message: 'Hi' })) {
          kinds.push(event.type)
          if (event.type === 'open') sessionId = event.sessionId
        }
        const answer = await chat.send(sessionId, 'And now?').answer()
        return { kinds, text: answer.ok ? answer.data.text : answer.error.message }
      },
      await asked(),
    )
    expect(seen).to.deep.equal({ kinds: ['open', 'message', 'message', 'done'], text: 'grüße 你好 🎈' })
  })

  it('tells a refusal and a service that is not there', async () => {
    const seen = await page.evaluate(
      async (options) => {
        const { createChatClient } = globalThis.chatClient
        const refused = await createChatClient(options).start({ agentId: '', message: 'Hi' }).answer()
        const nowhere = { ...options, baseUrl: 'http://127.0.0.1:9', retryDelayMs: 1 }
        const none = await createChatClient(nowhere).start({ agentId: 'a', message: 'Hi' }).answer()
        return [refused, none].map((answer) => (answer.ok ? 'ok' : answer.error.kind))
      },
      await asked(),
    )
    expect(seen).to.deep.equal(['refused', 'unreachable'])
  })

  it('frees the turn at once when it is aborted, and when nobody reads on', async () => {
    const begin = async (leave: boolean): Promise<string> =>
      page.evaluate(
        async ({ options, leave }) => {
          const turn = globalThis.chatClient
            .createChatClient(options)
            .start({ agentId: 'a', message: 'for ever' })
          for await (const event of turn) {
            if (event.type === 'message' && leave) turn.abort()
            if (event.type === 'message' && !leave) return 'running'
            if (event.type === 'failed') return event.error.kind
          }
          return 'ended'
        },
        { options: await asked(), leave },
      )
    expect(await begin(true)).to.equal('aborted')
    await until('the turn to be given up', () => edge.turns.count === 0)
    expect(await begin(false)).to.equal('running')
    await until('the turn to be given up', () => edge.turns.count === 0)
  })
})
