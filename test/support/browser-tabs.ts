import type { Browser, BrowserContextOptions, Page } from 'playwright-core'

/** What is left out is English, the light theme, 1280 × 720, and the time zone of the machine. */
export type TabOptions = Pick<BrowserContextOptions, 'colorScheme' | 'locale' | 'timezoneId' | 'viewport'>

/** One tab at a time on the pages of one service. */
export interface Tabs {
  /** An empty tab, as a new one would be: it has stored nothing, and no request of it is routed. Leaves the one before. */
  open(options?: TabOptions): Promise<Page>
  /** The open tab shows nothing any more and forgets what it stored; tabs that it opened are closed. */
  leave(): Promise<void>
}

const FORGET = 'sessionStorage.clear(); localStorage.clear()'

/**
 * Tabs of a language and a time zone are one tab of Chromium, used again: a new context takes a process that compiles the page
 * anew, which is two fifths of the CPU time of opening the console.
 * @param origin of the service. @param prepared is told of every tab of Chromium before its first use
 */
export function tabsOf(browser: Browser, origin: string, prepared: (page: Page) => void): Tabs {
  const kept = new Map<string, Page>()
  let current: Page | undefined
  const leave = async (): Promise<void> => {
    const page = current
    current = undefined
    if (page === undefined || page.isClosed()) return
    const others = page.context().pages()
    await Promise.all(others.map((other) => (other === page ? undefined : other.close())))
    // What it has stored can be reached from its own pages alone.
    if (new URL(page.url()).origin !== origin) return page.context().close()
    await page.unrouteAll()
    await page.evaluate(FORGET)
    await page.goto('about:blank')
  }
  return {
    leave,
    async open({ locale = 'en-US', timezoneId, colorScheme = 'light', viewport } = {}) {
      await leave()
      const key = `${locale} ${timezoneId}`
      let page = kept.get(key)
      if (page === undefined || page.isClosed()) {
        const zone = timezoneId === undefined ? {} : { timezoneId }
        page = await (await browser.newContext({ locale, ...zone })).newPage()
        prepared(page)
        kept.set(key, page)
      }
      current = page
      await page.setViewportSize(viewport ?? { width: 1280, height: 720 })
      await page.emulateMedia({ colorScheme })
      return page
    },
  }
}
