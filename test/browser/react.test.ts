import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { bundled } from '../support/client-bundle.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { type PageServer, servePage } from '../support/page-server.js'
import { answeringOrWaiting } from '../support/scripted-backend.js'
import { until } from '../support/until.js'

/** A page that shows all there is of a conversation; its address has the session to go on with. */
const PAGE_CODE = `
import { createElement as h, StrictMode, useMemo, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { createChatClient } from './src/client/index.ts'
import { useChatCutover } from './src/react/index.ts'

const given = new URLSearchParams(location.hash.slice(1))
function Chat() {
  const client = useMemo(
    () => createChatClient({ baseUrl: given.get('url'), token: given.get('token'), language: 'en' }),
    [],
  )
  const [loadError, setLoadError] = useState('')
  const chat = useChatCutover({
    client,
    agentId: 'assistant',
    sessionId: given.get('session') ?? undefined,
    onLoadFailed: (error) => setLoadError(error.kind),
  })
  const lines = chat.entries.map((entry) =>
    entry.role === 'user' ? 'user: ' + entry.content : entry.status + ': ' + entry.content,
  )
  return h('main', null,
    h('pre', { id: 'lines' }, lines.join('\\n')),
    h('i', { id: 'session' }, chat.sessionId ?? ''),
    h('b', { id: 'busy' }, String(chat.busy)),
    h('u', { id: 'error' }, loadError),
    h('button', { id: 'hi', onClick: () => chat.send('Hi') }),
    h('button', { id: 'ever', onClick: () => chat.send('for ever') }),
    h('button', { id: 'stop', onClick: chat.stop }),
    h('button', { id: 'clear', onClick: chat.clear }),
  )
}
function App() {
  const [shown, setShown] = useState(true)
  return h('div', null, shown ? h(Chat) : null, h('button', { id: 'leave', onClick: () => setShown(false) }))
}
createRoot(document.getElementById('app')).render(h(StrictMode, null, h(App)))
`

describe('the React hook in a browser', function () {
  this.timeout(60_000)
  let pages: PageServer
  let browser: Browser | undefined
  let page: Page
  let edge: Edge

  before(async function () {
    browser = await browserOrSkip(this)
    pages = await servePage(
      '<div id="app"></div><script type="module" src="/page.js"></script>',
      await bundled(PAGE_CODE),
    )
    const slow = answeringOrWaiting('direct_llm', 'Hello ', 'there')
    edge = await startEdge({ corsOrigins: [pages.origin], backends: { direct_llm: slow } })
    page = await browser.newPage()
  })
  after(async () => {
    await browser?.close()
    if (browser === undefined) return
    pages.close()
    await edge.close()
  })

  async function show(session?: string, prepare?: (opened: Page) => Promise<unknown>): Promise<void> {
    const token = (await bearer()).replace('Bearer ', '')
    const given = new URLSearchParams({ url: edge.url, token, ...(session === undefined ? {} : { session }) })
    // One page after the other in one tab: each new one would take a process that compiles React anew.
    await page.unrouteAll()
    await page.goto('about:blank')
    await prepare?.(page)
    await page.goto(`${pages.origin}/#${given}`)
    await page.waitForSelector('#lines', { state: 'attached' })
  }
  const shown = async (id: string): Promise<string> => (await page.locator(`#${id}`).textContent()) ?? ''
  const waitFor = (lines: string): Promise<void> =>
    until(`the page to show ${lines}`, async () => (await shown('lines')) === lines)

  it('shows a conversation turn by turn, and goes on with its session', async () => {
    await show()
    await page.click('#hi')
    await waitFor('user: Hi\nanswered: Hello there')
    const session = await shown('session')
    await page.click('#hi')
    await waitFor('user: Hi\nanswered: Hello there\nuser: Hi\nanswered: Hello there')
    expect(await shown('session')).to.equal(session)
    expect(await shown('busy')).to.equal('false')
    await page.click('#clear')
    await waitFor('')
  })

  it('sends one message at a time, and stops it', async () => {
    await show()
    await page.click('#ever')
    await waitFor('user: for ever\nanswering: Hello there')
    await page.click('#hi')
    expect(await shown('lines')).to.equal('user: for ever\nanswering: Hello there')
    await page.click('#stop')
    await waitFor('user: for ever\nstopped: Hello there')
  })

  it('gives a turn up when the component goes', async () => {
    await show()
    await page.click('#ever')
    await waitFor('user: for ever\nanswering: Hello there')
    expect(edge.turns.count).to.equal(1)
    await page.click('#leave')
    await until('the turn to be given up', () => edge.turns.count === 0)
  })

  it('reads the history of the session it is given, or tells why not', async () => {
    await show()
    await page.click('#hi')
    await waitFor('user: Hi\nanswered: Hello there')
    const session = await shown('session')
    await show(session)
    await waitFor('user: Hi\nanswered: Hello there')
    await page.click('#hi')
    await waitFor('user: Hi\nanswered: Hello there\nuser: Hi\nanswered: Hello there')
    expect(await shown('session')).to.equal(session)
    await show('00000000-0000-4000-8000-000000000000')
    await until('the refusal', async () => (await shown('error')) === 'refused')
  })

  it('shows no history that comes after the conversation was cleared', async () => {
    await show()
    await page.click('#hi')
    await waitFor('user: Hi\nanswered: Hello there')
    const session = await shown('session')
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const answers: Promise<void>[] = []
    await show(session, (opened) =>
      opened.route(`**/chat/sessions/${session}`, (route) => {
        const answer = async (): Promise<void> => {
          await held
          // The page may have given the request up.
          await route.continue().catch(() => undefined)
          await (await route.request().response())?.finished()
        }
        answers.push(answer())
      }),
    )
    await until('the history to be asked for', () => answers.length > 0)
    await page.click('#clear')
    release()
    await Promise.all(answers)
    await page.click('#hi')
    await waitFor('user: Hi\nanswered: Hello there')
    expect(await shown('session')).to.not.equal(session)
  })
})
