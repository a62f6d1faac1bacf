import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Context } from 'mocha'
import type { Page } from 'playwright-core'
import type { Faults } from '../../src/simulator/faults.js'
import { browserOrSkip } from './browser.js'
import { type TabOptions, type Tabs, tabsOf } from './browser-tabs.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from './processes.js'

const AXE = readFileSync('node_modules/axe-core/axe.min.js', 'utf8')

export type Role = 'nobody' | 'member' | 'admin' | 'owner'

/** The built console, served by the built service before its simulators, in a real browser. */
export interface ConsoleRig {
  readonly url: string
  readonly flags: TemporaryFlags
  /**
   * A signed-in tab, the only one: it leaves the one before. What it must not do is kept: faults, refusals of its policy, requests
   * to anybody but the service.
   */
  open(path: string, role?: Role, options?: TabOptions): Promise<Page>
  /** Ends what the open tab shows, and what it stored. */
  leave(): Promise<void>
  /** A call of the API by an operator. */
  call(method: string, path: string, body?: object, headers?: Record<string, string>): Promise<Response>
  /** Breaks a simulated backend (faults of the simulator); none: mends it. */
  fault(backend: 'llm' | 'runtime', faults?: Faults): Promise<void>
  /** One more replica on the same files, under this name; whoever starts it ends it. */
  another(replica: string): Promise<RunningProcess>
  /** Nothing that a page must not do has happened since the last call. */
  expectNoFaults(): void
  /** Ends the service, lets `meanwhile` look at the page, and starts it again at the same address. */
  restart(meanwhile: () => Promise<void>): Promise<void>
  /** What happened since the last look that a page must not do. */
  faults(): string[]
  close(): Promise<void>
}

/** Skips the tests of `hook` where there is no browser. */
export async function startConsole(
  hook: Pick<Context, 'skip'>,
  env: Record<string, string> = {},
): Promise<ConsoleRig> {
  const browser = await browserOrSkip(hook)
  const flags = temporaryFlags()
  const [llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
  const start = (more: Record<string, string> = {}): Promise<RunningProcess> =>
    startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: { CHAT_DATABASE: join(flags.folder, 'chat.db'), CHAT_LAMEDUCK_MS: '0', ...env, ...more },
    })
  let service = await start()
  const { url } = service
  const faults: string[] = []
  const tabs = tabsOf(browser, url, (page) => keepFaults(page, url, faults))
  return {
    url,
    flags,
    open: (path, role = 'owner', options = {}) => openPage(tabs, `${url}/console${path}`, role, options),
    leave: tabs.leave,
    call: async (method, path, body, headers = {}) =>
      fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          authorization: await bearer({ role: 'owner', user: 'operator-1' }),
          'accept-language': 'en',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    fault: async (backend, faults = {}) => {
      const { url: at } = backend === 'llm' ? llm : runtime
      const headers = { 'content-type': 'application/json' }
      const { ok } = await fetch(`${at}/_faults`, { method: 'PUT', headers, body: JSON.stringify(faults) })
      expect(ok).to.equal(true)
    },
    another: (replica) => start({ CHAT_REPLICA: replica }),
    restart: async (meanwhile) => {
      await service.end()
      try {
        await meanwhile()
      } finally {
        service = await start({ PORT: new URL(url).port })
      }
    },
    faults: () => faults.splice(0),
    expectNoFaults: () => expect(faults.splice(0)).to.deep.equal([]),
    close: async () => {
      await browser.close()
      await Promise.all([service.end(), llm.end(), runtime.end()])
      flags.remove()
    },
  }
}

function keepFaults(page: Page, url: string, faults: string[]): void {
  page.on('request', (request) => {
    if (!request.url().startsWith(url)) faults.push(`asked ${request.url()}`)
  })
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
}

async function openPage(tabs: Tabs, address: string, role: Role, options: TabOptions): Promise<Page> {
  const page = await tabs.open(options)
  const signIn = role === 'nobody' ? '' : `#token=${await tokenOf(role)}`
  await page.goto(`${address}${signIn}`)
  return page
}

export const tokenOf = async (role: Role): Promise<string> =>
  (await bearer({ role, user: 'operator-1' })).replace('Bearer ', '')

/** What a well-known checker of accessibility calls serious or critical. */
export async function seriousFindings(page: Page): Promise<string[]> {
  // In the page's own world, past its policy: the checker is ours, not the page's. Once for each document, as it is large.
  if (!(await page.evaluate('typeof axe === "object"'))) await page.evaluate(AXE)
  return page.evaluate(async () => {
    const axe = Reflect.get(globalThis, 'axe')
    // A rule has one impact for all that it finds: those of a lower one can tell nothing that is asked for here.
    const lower: { id: string }[] = axe._audit.rules.filter(({ impact }: { impact: string }) =>
      ['minor', 'moderate'].includes(impact),
    )
    const { violations } = await axe.run({
      rules: Object.fromEntries(lower.map(({ id }) => [id, { enabled: false }])),
      // Only what is read below is worked out in detail.
      resultTypes: ['violations'],
      selectors: false,
    })
    return violations
      .filter(({ impact }: { impact: string }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }: { id: string; nodes: { html: string }[] }) => `${id}: ${nodes[0]?.html}`)
  })
}
