import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * A real browser, or undefined where the machine has none: the test then skips itself with the reason printed. Under
 * CHAT_REQUIRE_BROWSER=1 a missing one is an error.
 */
export async function launchBrowser(): Promise<Browser | undefined> {
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
  return undefined
}
