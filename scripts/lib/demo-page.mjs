// The demo in a folder of its own, and a browser before its console; for scripts that look at the page.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { chromium } from 'playwright-core'
import { ROOT } from './prepare.mjs'

const BROWSERS = [
  process.env.CHROMIUM_BIN ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
]
/** ms */
const START_TIMEOUT = 60_000
const STOP_TIMEOUT = 15_000
const CALL_TIMEOUT = 10_000

/**
 * @param {import('playwright-core').BrowserContextOptions} options of the browser's context
 * @param {(url: string) => Promise<{url: string, close: () => void}>} [before] a proxy between browser and service
 */
export async function openDemo(options, before = async (url) => ({ url, close: () => undefined })) {
  const data = mkdtempSync(join(tmpdir(), 'chat-cutover-console-'))
  const demo = spawn(
    process.execPath,
    [join(ROOT, 'dist', 'cli', 'main.js'), 'demo', '--data', data, '--port', '0'],
    { cwd: ROOT, stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, LOG_LEVEL: 'info' } },
  )
  const ended = once(demo, 'exit')
  const stop = async () => {
    demo.kill('SIGTERM')
    const last = setTimeout(() => demo.kill('SIGKILL'), STOP_TIMEOUT)
    await ended
    clearTimeout(last)
    rmSync(data, { recursive: true, force: true })
  }
  try {
    const shell = await until('the demo', START_TIMEOUT, () => {
      if (demo.exitCode !== null) throw new Error(`the demo ended with exit code ${demo.exitCode}`)
      const file = join(data, 'env')
      const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
      return text.includes('MEMBER_TOKEN=') ? text : undefined
    })
    const [url, token] = [/\bCHAT_URL=(\S+)/, /\bCHAT_TOKEN=(\S+)/].map((value) => value.exec(shell)?.[1])
    const proxy = await before(url)
    const browser = await chromium.launch({
      executablePath: BROWSERS.find((path) => existsSync(path)),
      args: ['--no-sandbox', '--disable-gpu'],
    })
    const page = await (await browser.newContext({ locale: 'en-US', ...options })).newPage()
    await page.goto(`${proxy.url}/console#token=${token}`)
    await page.waitForSelector('.connection[data-state=live]')
    return {
      page,
      /** A call of the API by an operator; its data. */
      async call(method, path, body, headers = {}) {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
          signal: AbortSignal.timeout(CALL_TIMEOUT),
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        const answer = await response.json()
        if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`)
        return answer.data
      },
      async close() {
        await browser.close()
        proxy.close()
        await stop()
      },
    }
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

/** What `look` finds, asked four times a second. @param {number} limit ms */
export async function until(what, limit, look) {
  const last = performance.now() + limit
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > last) throw new Error(`still waiting for ${what} after ${limit / 1000} s`)
    await pause(250)
  }
}
