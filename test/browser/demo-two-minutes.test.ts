import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { browserOrSkip } from '../support/browser.js'
import { type Demo, startDemo } from '../support/demo.js'

/** s from the first look at the page until all three have been seen */
const MOST_SECONDS = 120

/**
 * The promise of the demo, at its real speed: a minute or two, so only with CHAT_TEST_DEMO=1. Prints when each was seen.
 */
describe('two minutes of the demo', function () {
  this.timeout(240_000)
  let browser: Browser | undefined
  let demo: Demo | undefined
  let page: Page
  let opened: number

  before(async function () {
    if (process.env.CHAT_TEST_DEMO !== '1') {
      console.log('      skipped: takes up to two minutes; set CHAT_TEST_DEMO=1')
      return this.skip()
    }
    browser = await browserOrSkip(this)
    demo = startDemo()
    const address = await demo.address()
    page = await (await browser.newContext({ locale: 'en-US' })).newPage()
    opened = performance.now()
    await page.goto(address)
  })
  after(async () => {
    await browser?.close()
    await demo?.close()
  })

  /** s since the page was opened */
  const seen = (what: string): void => {
    const seconds = (performance.now() - opened) / 1000
    console.log(`      ${what} after ${seconds.toFixed(1)} s`)
    expect(seconds, what).to.be.below(MOST_SECONDS)
  }

  it('show a failover, a fallback and a recovery to somebody who clicks on the panel alone', async () => {
    const patience = { timeout: MOST_SECONDS * 1_000 }
    await page.waitForSelector('.now.good', patience)
    // Turns go to both backends before anything breaks.
    const both = page.locator('.chart').first().locator('.legend b')
    while (!(await both.allInnerTexts()).every((text) => Number(text) > 0)) await page.waitForTimeout(200)
    await page.click('.demo >> text=It answers 500')
    await page.waitForSelector('.failovers >> text=Turns that failed over', patience)
    seen('a failover')
    await page.waitForSelector('.now.bad >> text=a fallback sends', patience)
    seen('the fallback')
    await page.click('.demo >> text=Nothing')
    await page.waitForSelector('.now >> text=/recover|are back on the runtime/', patience)
    seen('the beginning of the recovery')
    await page.waitForSelector('.now.good >> text=no fallback', patience)
    seen('its end')
  })
})
