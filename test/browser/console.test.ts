import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { launchBrowser } from '../support/browser.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')

/** The console as operators use it: the built page, served by the built service, in a real browser. */
describe('the console in a browser', function () {
  this.timeout(60_000)
  let browser: Browser | undefined
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let flags: TemporaryFlags
  const faults: string[] = []

  before(async function () {
    browser = await launchBrowser()
    // There is no browser: launchBrowser has printed so.
    if (browser === undefined) return this.skip()
    flags = temporaryFlags()
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags, env: {} })
  })
  after(async () => {
    await browser?.close()
    if (browser === undefined) return
    await Promise.all([service.end(), llm.end(), runtime.end()])
    flags.remove()
  })
  afterEach(() => {
    expect(faults.splice(0)).to.deep.equal([])
  })

  /** A tab that tells of every fault, of what its policy refused, and of requests to anybody but the service. */
  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser?.newContext({ locale: 'en-US', ...options })
    if (context === undefined) throw new Error('no browser')
    const page = await context.newPage()
    page.on('request', (request) => {
      if (!request.url().startsWith(service.url)) faults.push(`asked ${request.url()}`)
    })
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text())
    })
    page.on('pageerror', (error) => faults.push(error.message))
    await page.goto(`${service.url}/console${path}`)
    return page
  }

  const tokenOf = async (role: 'admin' | 'owner' | 'member'): Promise<string> =>
    (await bearer({ role, user: 'operator-1' })).replace('Bearer ', '')

  async function seriousFindings(page: Page): Promise<string[]> {
    // In the page's own world, past its policy: the checker is ours, not the page's.
    await page.evaluate(AXE)
    return page.evaluate(async () => {
      const axe = Reflect.get(globalThis, 'axe')
      const { violations } = await axe.run()
      return violations
        .filter(({ impact }: { impact: string }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => `${id}: ${nodes[0]?.html}`)
    })
  }

  it('asks who looks, says what is wrong with a token, and keeps a good one in the tab alone', async () => {
    const page = await open('')
    await page.fill('#token', 'no token')
    await page.click('button[type=submit]')
    expect(await page.innerText('[role=alert]')).to.include('not a token of this service')
    expect(await seriousFindings(page)).to.deep.equal([])
    await page.fill('#token', await tokenOf('admin'))
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.now')
    expect(await page.evaluate('[sessionStorage.length, JSON.stringify(localStorage)]')).to.deep.equal([
      1,
      '{}',
    ])
    await page.reload()
    await page.waitForSelector('.now')
    await page.click('text=Sign out')
    await page.waitForSelector('#token')
    expect(await page.evaluate('sessionStorage.length')).to.equal(0)
    await page.context().close()
  })

  it('shows what is true now, live, and takes its token from the address', async () => {
    const page = await open(`#token=${await tokenOf('owner')}`)
    await page.waitForSelector('.live.live')
    expect(page.url()).to.equal(`${service.url}/console`)
    expect(await page.innerText('.now')).to.include('no fallback')
    const trigger = await fetch(`${service.url}/api/v1/runtime/fallback/trigger`, {
      method: 'POST',
      headers: {
        authorization: await bearer({ role: 'owner', user: 'operator-1' }),
        'content-type': 'application/json',
      },
      body: JSON.stringify({ reason: 'a test' }),
    })
    expect(trigger.status).to.equal(200)
    await page.waitForSelector('.now.bad')
    expect(await page.innerText('.now')).to.include('an operator keeps everybody on the direct LLM')
    await page.context().close()
  })

  it('speaks Chinese, fits a small screen, and has no serious finding in either theme', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await open(`#token=${await tokenOf('owner')}`, {
        locale: 'zh-CN',
        colorScheme,
        viewport: { width: 360, height: 740 },
      })
      await page.waitForSelector('.now')
      expect(await page.innerText('nav')).to.include('总览')
      expect(await page.evaluate('document.documentElement.scrollWidth')).to.be.at.most(360)
      expect(await seriousFindings(page)).to.deep.equal([])
      await page.click('text=English')
      expect(await page.innerText('nav')).to.include('Overview')
      await page.context().close()
    }
  })

  it('tells a member what the role may see', async () => {
    const page = await open(`#token=${await tokenOf('member')}`)
    expect(await page.innerText('.banner')).to.include('signed in as a member')
    await page.context().close()
  })
})
