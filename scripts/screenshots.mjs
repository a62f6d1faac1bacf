// npm run screenshots: pictures of each view of the console in both themes, into docs/images/, from a demo that has just been through a
// fallback and its recovery. About two minutes. Needs Chromium (CHROMIUM_BIN, or where Debian has it) and a
// font with Chinese characters (Debian: fonts-noto-cjk).
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { openDemo, until } from './lib/demo-page.mjs'
import { build, install, ROOT, say, takesNothing } from './lib/prepare.mjs'

const TO = join(ROOT, 'docs', 'images')
const API = '/api/v1/runtime'
/** A recovery takes minutes with the guardrails of production. */
const GUARDRAILS = {
  holdSeconds: 10,
  rampStepSeconds: 10,
  rampPercents: [25, 100],
  recoveryShadowPercent: 100,
}
/** ms */
const LIMIT = 180_000
const BEFORE = 30_000
const DURING = 6_000
const AFTER = 25_000

const VIEWS = {
  overview: { link: 'Overview', ready: '.charts canvas' },
  fallback: { link: 'Fallback', ready: '.timeline' },
  rollout: { link: 'Rollout', ready: 'input[name=canary]' },
  shadow: { link: 'Shadow report', ready: '.forest' },
  explain: {
    link: 'Explain',
    ready: 'form',
    async prepare(page) {
      await page.fill('input[name=orgId]', 'globex')
      await page.click('form >> button[type=submit]')
      await page.waitForSelector('.answer')
    },
  },
  try: {
    link: 'Try it',
    ready: 'textarea[name=message]',
    async prepare(page) {
      await page.fill('textarea[name=message]', 'Use a tool to look up the weather')
      await page.keyboard.press('Enter')
      await page.waitForSelector('text=The kept trace')
    },
  },
}

/** Parts of a view that are below its first screen. */
const PARTS = {
  history: { link: 'Fallback', part: '[aria-labelledby=history]' },
  pairs: {
    link: 'Shadow report',
    part: '[aria-labelledby=pairs]',
    prepare: (page) => page.waitForSelector('table.pairs'),
  },
  limits: {
    link: 'Rollout',
    part: 'details:has([name="limits.weights"])',
    async prepare(page) {
      await page.click('summary >> text=Limits')
      await page.fill('[name="limits.streamsPerOrg"]', '200')
      await page.fill('[name="limits.weights"]', 'acme = 3\nglobex = 0.5')
      await page.locator('[name="limits.weights"]').blur()
    },
  },
}

takesNothing(`Usage: npm run screenshots

Takes pictures of each view of the console in both themes into docs/images/, from a demo that has just been through a fallback and its
recovery. About two minutes. Needs Chromium (CHROMIUM_BIN, or where Debian has it) and a font with Chinese characters.
`)
install()
build()
mkdirSync(TO, { recursive: true })
say('starting the demo ...')
const { page, call, close } = await openDemo({ viewport: { width: 1280, height: 820 }, colorScheme: 'light' })
const status = () => call('GET', `${API}/fallback/status`)
const fault = (kind) => call('PUT', '/console/demo/fault', { fault: kind })
try {
  await call('PATCH', `${API}/flags`, { shadowPercent: 100, guardrails: GUARDRAILS }, { 'if-match': '*' })
  await pause(BEFORE)
  say('breaking the runtime ...')
  await fault('errors')
  await until('the fallback', LIMIT, async () => (await status()).fallback.state === 'fallback')
  await pause(DURING)
  await fault('none')
  say('waiting for the recovery ...')
  await until('the recovery', LIMIT, async () => (await status()).fallback.state === 'normal')
  await pause(AFTER)
  for (const [name, { link, ready, prepare }] of Object.entries(VIEWS)) {
    await page.click(`nav >> text=${link}`)
    await page.waitForSelector(ready)
    await prepare?.(page)
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await page.evaluate('scrollTo(0, 0)')
      await pause(500)
      await page.screenshot({
        path: join(TO, `console-${name}-${colorScheme}.png`),
        fullPage: name === 'overview',
      })
    }
  }
  for (const [name, { link, part, prepare }] of Object.entries(PARTS)) {
    await page.click(`nav >> text=${link}`)
    await page.waitForSelector(part)
    await prepare?.(page)
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await page.locator(part).scrollIntoViewIfNeeded()
      await pause(500)
      await page.locator(part).screenshot({ path: join(TO, `console-${name}-${colorScheme}.png`) })
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.click('nav >> text=Overview')
  await page.waitForSelector(VIEWS.overview.ready)
  await page.click('button[lang=zh-CN]')
  await pause(500)
  await page.screenshot({ path: join(TO, 'console-overview-zh-CN.png') })
  say(`the pictures are in ${TO}`)
} finally {
  await close()
}
