import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { type Demo, startDemo } from '../support/demo.js'

/** The demo as a visitor has it: one command, one address, no terminal. */
describe('the demo in a browser', function () {
  this.timeout(90_000)
  let browser: Browser | undefined
  let demo: Demo | undefined
  let page: Page

  before(async function () {
    browser = await browserOrSkip(this)
    demo = startDemo()
    const address = await demo.address()
    page = await (await browser.newContext({ locale: 'en-US' })).newPage()
    await page.goto(address)
  })
  after(async () => {
    await browser?.close()
    await demo?.close()
  })

  it('shows users on both backends, and who is where', async () => {
    await page.waitForSelector('.connection[data-state=live]')
    expect(await page.innerText('.now')).to.include('acme, globex, initech, and umbrella are on the runtime')
    const both = page.locator('.chart').first().locator('.legend b')
    const isBusy = async (): Promise<boolean> =>
      (await both.allInnerTexts()).every((text) => Number(text) > 0)
    while (!(await isBusy())) await page.waitForTimeout(200)
  })

  it('breaks the runtime on a click, fails a turn over, and falls back by itself', async () => {
    await page.click('text=It is down')
    // The turn that the panel sends meets the fault, whoever sees first that the runtime is dead.
    await page.waitForSelector('.failovers >> text=Turns that failed over since you opened this page')
    // It says other things before that on a busy machine.
    await page.waitForSelector('.now.bad:has-text("a fallback sends everybody to the direct LLM")')
    await page.click('text=Nothing')
    await page.click('nav >> text=Fallback')
    await page.waitForSelector('.timeline >> text=Fallback tripped')
    await page.waitForSelector('text=The runtime is left alone for another')
  })
})
