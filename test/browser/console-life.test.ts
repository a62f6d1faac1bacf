import { expect } from 'chai'
import { SignJWT } from 'jose'
import type { Page } from 'playwright-core'
import { type ConsoleRig, startConsole } from '../support/console-page.js'
import { bearer, TEST_SECRET } from '../support/processes.js'
import { until } from '../support/until.js'

/** tab stops of a page, more than any view has */
const MOST_STOPS = 80

/** What happens around an open page: other replicas, the end of a token, no mouse. */
describe('an open console', function () {
  // A replica reports itself every 10 s.
  this.timeout(60_000)
  let rig: ConsoleRig
  let page: Page

  before(async function () {
    rig = await startConsole(this, { CHAT_REPLICA: 'replica-a' })
  })
  after(async () => rig?.close())
  afterEach(async () => {
    await rig?.leave()
    rig?.expectNoFaults()
  })

  it('shows what was changed through another replica, and names that one', async () => {
    const other = await rig.another('replica-b')
    try {
      const there = async (method: string, path: string, body: object): Promise<void> => {
        const response = await fetch(`${other.url}/api/v1/runtime${path}`, {
          method,
          headers: {
            authorization: await bearer({ role: 'owner' }),
            'content-type': 'application/json',
            'if-match': '*',
          },
          body: JSON.stringify(body),
        })
        expect(response.status, await response.text()).to.equal(200)
      }
      page = await rig.open('')
      await page.waitForSelector('.replicas >> text=replica-a this page')
      await there('POST', '/fallback/trigger', { reason: 'through the other one' })
      await page.waitForSelector('.now.bad >> text=through the other one')
      await page.waitForSelector('.replicas >> text=replica-b made the last change')
      await there('POST', '/fallback/reset', {})
      await page.waitForSelector('.now.good')
      await page.click('nav >> text=Rollout')
      const canary = page.locator('input[name=canary]')
      await canary.waitFor()
      await there('PATCH', '/flags', { canaryPercent: 12 })
      await until('the canary of the other replica', async () => (await canary.inputValue()) === '12')
    } finally {
      await other.end()
    }
    await page.click('nav >> text=Overview')
    await page.waitForSelector('.replicas tr:has-text("replica-b") >> text=stopped')
  })

  it('asks for a new token when the old one expires, and goes on where the reader was', async () => {
    page = await rig.open('/fallback', 'nobody')
    await page.fill('#token', await tokenFor(3))
    await page.click('button[type=submit]')
    await page.waitForSelector('.connection[data-state=live]')
    await page.waitForSelector('text=Your token has expired')
    expect(await page.evaluate('sessionStorage.length')).to.equal(0)
    await page.fill('#token', await tokenFor(3600))
    await page.click('button[type=submit]')
    await page.waitForSelector('.connection[data-state=live]')
    expect(new URL(page.url()).pathname).to.equal('/console/fallback')
    await page.waitForSelector('text=No manual fallback.')
  })

  it('can be used by the keyboard alone: to the view, a manual fallback, and its end', async () => {
    page = await rig.open('')
    await page.waitForSelector('.now')
    await tabTo('Fallback')
    await page.keyboard.press('Enter')
    await page.waitForSelector('textarea[name=orgs]')
    await tabTo('', 'input[name=reason]')
    await page.keyboard.type('no mouse')
    await tabTo('Start a manual fallback…')
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog[open]')
    await tabTo('Start the fallback')
    await page.keyboard.press('Enter')
    await page.waitForSelector('blockquote >> text=no mouse')
    // Not thrown back to the top of the page.
    await until('the focus back', async () => (await focused()).includes('Start a manual fallback…'))
    await tabTo('Reset…')
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog[open]')
    await page.keyboard.press('Escape')
    await page.waitForSelector('dialog', { state: 'detached' })
    await until('the focus back', async () => (await focused()).includes('Reset…'))
    await page.keyboard.press('Enter')
    await page.waitForSelector('dialog[open]')
    await tabTo('', 'dialog button.danger')
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=No manual fallback.')
  })

  const focused = (): Promise<string> => page.evaluate('document.activeElement.innerText ?? ""')

  /** Presses Tab until the element with this text, or of this selector, has the focus, and shows that it has. */
  async function tabTo(text: string, selector = '*'): Promise<void> {
    for (let stop = 0; stop < MOST_STOPS; stop++) {
      await page.keyboard.press('Tab')
      const there: boolean = await page.evaluate(
        ([wanted, form]) => {
          const element = Reflect.get(globalThis, 'document').activeElement
          const style = Reflect.get(globalThis, 'getComputedStyle')(element)
          return (
            element.matches(form) &&
            (wanted === '' || element.innerText === wanted) &&
            style.outlineStyle !== 'none'
          )
        },
        [text, selector] as const,
      )
      if (there) return
    }
    throw new Error(`no tab stop ${text}${selector}`)
  }
})

const tokenFor = (seconds: number): Promise<string> =>
  new SignJWT({ org_id: 'acme', role: 'owner' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('operator-1')
    .setExpirationTime(Math.ceil(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(TEST_SECRET))
