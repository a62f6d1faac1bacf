import { existsSync } from 'node:fs'
import type { Context } from 'mocha'
import { type Browser, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * A real browser. Where the machine has none, it prints the reason and skips the test, or the tests of the hook.
 *
 * @throws Error instead under CHAT_REQUIRE_BROWSER=1
 */
export async function browserOrSkip(hook: Pick<Context, 'skip'>): Promise<Browser> {
  const executablePath = [process.env.CHROMIUM_BIN ?? '', ...PLACES].find((path) => existsSync(path))
  if (executablePath !== undefined)
    return chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-component-update',
      ],
    })
  if (process.env.CHAT_REQUIRE_BROWSER === '1')
    throw new Error(`CHAT_REQUIRE_BROWSER=1, and no browser in CHROMIUM_BIN, ${PLACES.join(', ')}`)
  console.log('      skipped: no Chromium on this machine (install it, or set CHROMIUM_BIN)')
  return hook.skip()
}
