import { expect } from 'chai'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { seriousFindings } from '../support/console-page.js'
import { type Edge, startEdge } from '../support/edge.js'
import { until } from '../support/until.js'

describe('the page of the API in a browser', function () {
  this.timeout(60_000)
  let browser: Browser | undefined
  let edge: Edge
  let url: string

  before(async function () {
    browser = await browserOrSkip(this)
    edge = await startEdge()
    url = edge.url
  })
  after(async () => {
    await browser?.close()
    if (browser !== undefined) await edge.close()
  })

  /** The page; `faults`: what it must not do. */
  async function open(
    options: BrowserContextOptions,
    prepare?: (page: Page) => Promise<unknown>,
    hash = '',
  ): Promise<{ page: Page; faults: string[] }> {
    const context = await browser?.newContext(options)
    const page = await context?.newPage()
    if (page === undefined) throw new Error('no browser')
    const faults: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('data:'))
        faults.push(`asked ${request.url()}`)
    })
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text())
    })
    page.on('pageerror', (error) => faults.push(error.message))
    await prepare?.(page)
    await page.goto(`${url}/docs${hash}`)
    await page.waitForSelector('.opblock-summary-description')
    return { page, faults }
  }

  /** Lets the page draw one call alone: all of them take it seconds of CPU time, and a theme is the same with one. */
  const withOneCall = (page: Page): Promise<unknown> =>
    page.route('**/openapi.json', async (route) => {
      const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
      const paths = Object.fromEntries(Object.entries(document.paths).slice(0, 1))
      await route.fulfill({ json: { ...document, paths, components: {} } })
    })

  async function openByPath(page: Page): Promise<void> {
    await page.click('#operations-chat-getSession .opblock-summary-path')
    await page.waitForSelector('#operations-chat-getSession .responses-table')
    expect(new URL(page.url()).hash).to.equal('#/chat/getSession')
  }

  /** Waits until no colour is on its way to another. */
  const settled = (page: Page): Promise<unknown> =>
    page.evaluate('Promise.allSettled(document.getAnimations().map((one) => one.finished))')

  // Swagger UI takes seconds of CPU time for the first call that a page opens: one page opens calls, in both themes.
  it('shows every call, asks nobody but us, breaks no rule of its policy and has no serious finding in either theme', async () => {
    const { page, faults } = await open({ colorScheme: 'light' }, undefined, '#/chat/startChat')
    await page.waitForSelector('#operations-chat-startChat .responses-table')
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
    const count = Object.values(document.paths).flatMap((path: object) => Object.keys(path)).length
    expect(await page.locator('.opblock').count()).to.equal(count)
    expect((await brightness(page)).text).to.be.below(120)
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.emulateMedia({ colorScheme: 'dark' })
    await until('the dark theme', async () => (await brightness(page)).text > 150)
    await settled(page)
    expect(await seriousFindings(page)).to.deep.equal([])
    await openByPath(page)
    await page.click('#operations-chat-deleteSession .opblock-summary-control')
    await page.waitForSelector('#operations-chat-deleteSession .responses-table')
    expect(await page.locator('#operations-chat-startChat .responses-table').first().innerText()).to.include(
      '429',
    )
    expect(faults).to.deep.equal([])
    await page.context().close()
  })

  it('begins in the dark theme of the system, and follows it to the light one', async () => {
    const { page, faults } = await open({ colorScheme: 'dark' }, withOneCall)
    const { ground, text } = await brightness(page)
    expect(ground).to.be.below(60)
    expect(text).to.be.above(150)
    await page.emulateMedia({ colorScheme: 'light' })
    await until('the light theme', async () => (await brightness(page)).text < 120)
    expect(faults).to.deep.equal([])
    await page.context().close()
  })

  it('takes the theme chosen in the console before that of the system', async () => {
    const localStorage = [{ name: 'chat-cutover.theme', value: 'dark' }]
    const storageState = { cookies: [], origins: [{ origin: url, localStorage }] }
    const { page } = await open({ colorScheme: 'light', storageState }, withOneCall)
    expect((await brightness(page)).ground).to.be.below(60)
    await page.context().close()
  })
})

/** of the page's ground and of a summary on it, 0 (black) to 255 */
async function brightness(page: Page): Promise<{ ground: number; text: number }> {
  const [ground = 0, text = 0] = await page.evaluate<number[]>(
    `[['html', 'backgroundColor'], ['.opblock-summary-description', 'color']].map(([of, what]) =>
      Math.max(...getComputedStyle(document.querySelector(of))[what].match(/\\d+/g).slice(0, 3).map(Number)))`,
  )
  return { ground, text }
}
