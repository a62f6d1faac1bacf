import { expect } from 'chai'
import type { Browser } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { seriousFindings } from '../support/console-page.js'
import { type Edge, startEdge } from '../support/edge.js'
import { until } from '../support/until.js'

describe('the page of the API in a browser', function () {
  this.timeout(60_000)
  let browser: Browser | undefined
  let edge: Edge

  before(async function () {
    browser = await browserOrSkip(this)
    edge = await startEdge()
  })
  after(async () => {
    await browser?.close()
    if (browser !== undefined) await edge.close()
  })

  it('shows every call, asks nobody but us and breaks no rule of its policy', async () => {
    const page = await browser?.newPage()
    if (page === undefined) throw new Error('no browser')
    const foreign: string[] = []
    const faults: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(edge.url) && !request.url().startsWith('data:'))
        foreign.push(request.url())
    })
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text())
    })
    page.on('pageerror', (error) => faults.push(error.message))
    await page.goto(`${edge.url}/docs`)
    await page.waitForSelector('#operations-chat-startChat')
    const document = (await (await fetch(`${edge.url}/openapi.json`)).json()) as { paths: object }
    const count = Object.values(document.paths).flatMap((path: object) => Object.keys(path)).length
    expect(await page.locator('.opblock').count()).to.equal(count)
    await page.click('#operations-chat-startChat .opblock-summary-control')
    await page.waitForSelector('#operations-chat-startChat .responses-table')
    expect(await page.locator('#operations-chat-startChat .responses-table').first().innerText()).to.include(
      '429',
    )
    expect(foreign).to.deep.equal([])
    expect(faults).to.deep.equal([])
  })

  for (const colorScheme of ['dark', 'light'] as const)
    it(`has no serious finding, and opens a call by its address: ${colorScheme}`, async () => {
      const context = await browser?.newContext({ colorScheme })
      const page = await context?.newPage()
      if (context === undefined || page === undefined) throw new Error('no browser')
      await page.goto(`${edge.url}/docs#/chat/startChat`)
      await page.waitForSelector('#operations-chat-startChat .responses-table')
      expect(await seriousFindings(page)).to.deep.equal([])
      await page.click('#operations-chat-getSession .opblock-summary-path')
      await page.waitForSelector('#operations-chat-getSession .responses-table')
      expect(new URL(page.url()).hash).to.equal('#/chat/getSession')
      await context.close()
    })

  it('follows the theme of the system, and the one chosen in the console before it', async () => {
    const context = await browser?.newContext({ colorScheme: 'dark' })
    const page = await context?.newPage()
    if (context === undefined || page === undefined) throw new Error('no browser')
    await page.goto(`${edge.url}/docs`)
    await page.waitForSelector('#operations-chat-startChat')
    /** of the page's ground and of a summary on it, 0 (black) to 255 */
    const brightness = (): Promise<number[]> =>
      page.evaluate(`[['html', 'backgroundColor'], ['.opblock-summary-description', 'color']].map(([of, what]) =>
        Math.max(...getComputedStyle(document.querySelector(of))[what].match(/\\d+/g).slice(0, 3).map(Number)))`)
    const [ground = 255, text = 0] = await brightness()
    expect(ground).to.be.below(60)
    expect(text).to.be.above(150)
    await page.emulateMedia({ colorScheme: 'light' })
    await until('the light theme', async () => ((await brightness())[1] ?? 255) < 120)
    await page.evaluate(`localStorage.setItem('chat-cutover.theme', 'dark')`)
    await page.reload()
    await page.waitForSelector('#operations-chat-startChat')
    expect((await brightness())[0]).to.be.below(60)
    await context.close()
  })
})
