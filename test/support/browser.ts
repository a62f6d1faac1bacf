import { existsSync } from 'node:fs'
import type { Context } from 'mocha'
import { type Browser, chromium } from 'playwright-core'

/**
 * The first is Chromium without the parts around a page (Debian's `chromium-headless-shell`): the tests of test/browser/ take two
 * fifths less CPU time with it.
 */
const PLACES = [
  '/usr/bin/chromium-headless-shell',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]

/** of this process */
let kept: Browser | undefined

/**
 * A real browser. Where the machine has none, it prints the reason and skips the test, or the tests of the hook.
 * A process of `mocha --parallel` runs many files in turn and starts one browser for all of them: `close` then closes what the
 * file has opened, and the browser ends with the process.
 *
 * @throws Error instead under CHAT_REQUIRE_BROWSER=1
 */
export async function browserOrSkip(hook: Pick<Context, 'skip'>): Promise<Browser> {
  const executablePath = [process.env.CHROMIUM_BIN ?? '', ...PLACES].find((path) => existsSync(path))
  if (executablePath !== undefined) {
    if (process.env.MOCHA_WORKER_ID === undefined) return launch(executablePath)
    if (kept?.isConnected() !== true) kept = closingContexts(await launch(executablePath))
    return kept
  }
  if (process.env.CHAT_REQUIRE_BROWSER === '1')
    throw new Error(`CHAT_REQUIRE_BROWSER=1, and no browser in CHROMIUM_BIN, ${PLACES.join(', ')}`)
  console.log('      skipped: no Chromium on this machine (install it, or set CHROMIUM_BIN)')
  return hook.skip()
}

const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  })

const closingContexts = (browser: Browser): Browser =>
  Object.assign(browser, {
    close: async () => void (await Promise.all(browser.contexts().map((context) => context.close()))),
  })
