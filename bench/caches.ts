import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { SignJWT } from 'jose'
import { systemClock } from '../src/core/clock.js'
import { silentLogger } from '../src/core/logger.js'
import { createTurnDefaults } from '../src/decision/code-defaults.js'
import { FlagFaults } from '../src/decision/flag-faults.js'
import { KeptFlags } from '../src/decision/values/kept-flags.js'
import { LastKnownGood } from '../src/decision/values/last-known-good.js'
import { LimitValues } from '../src/decision/values/limit-values.js'
import { RefusedFlags } from '../src/decision/values/refused-flags.js'
import { createTokenVerifier } from '../src/http/auth/token-verifier.js'
import { MemoryStreamLog } from '../src/http/stream/memory-stream-log.js'
import { MemoryKeys } from '../src/idempotency/memory-keys.js'
import { openSqliteUsage } from '../src/limits/sqlite-usage.js'
import { createStartRates } from '../src/limits/start-rates.js'
import { createMemoryUsage } from '../src/limits/token-usage.js'
import { createJudgedLog } from '../src/metrics/windows/judged-log.js'
import { createPublicWindows } from '../src/metrics/windows/public-windows.js'
import { KnownSessions } from '../src/sessions/known-sessions.js'
import { ReservationWatch } from '../src/sessions/reservation-watch.js'

/**
 * What each cache of a process takes when it is full: fills it with twice as many as it keeps, and measures memory after a collection.
 * Sizes of JavaScript objects, so other work on the machine does not matter. `node --import tsx bench/caches.ts`
 */

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
/** in one piece, as ids come out of JSON: `randomUUID` alone gives a string of many pieces */
const uuid = (): string => String(JSON.parse(JSON.stringify(randomUUID())))
/** ids of each kind as the issuer and the service make them */
const org = (at: number): string => `org-${String(at).padStart(8, '0')}`
const user = (at: number): string => `user-${String(at).padStart(8, '0')}`
const owner = (at: number) => ({ orgId: org(at % 100), userId: user(at) })
const outcome = (at: number) => ({
  ...({ mode: 'runtime_orchestrator', result: 'ok', agentId: 'assistant', startedAt: 0 } as const),
  ...{
    orgId: org(at),
    sessionId: uuid(),
    latencyMs: 900 + (at % 1000),
    firstContentMs: at % 900,
    tokens: 20,
  },
})
const SECRET = 'x'.repeat(32)
const token = (at: number): Promise<string> =>
  new SignJWT({ org_id: org(at % 100), role: 'member' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user(at))
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(SECRET))
const directory = mkdtempSync(join(tmpdir(), 'chat-cutover-caches-'))
const deps = { clock: systemClock, logger: silentLogger }
const defaults = createTurnDefaults({
  mode: 'direct_llm',
  enabledOrgs: [],
  shadowPercent: 0,
  totalMs: 60_000,
  errorRate: 0.5,
})
const flags = {
  mode: { value: 'direct_llm', reason: 'default' },
  shadow: false,
  override: { on: false },
  rollout: { on: false },
  guardrails: defaults.guardrails,
  profile: defaults.profile,
  route: defaults.route,
} as const

interface Cache {
  readonly name: string
  readonly bound: number
  /** Fills it with so many; what it gives back holds it. */
  fill(count: number): object | Promise<object>
}

const each = (count: number, act: (at: number) => unknown): void => {
  for (let at = 0; at < count; at += 1) act(at)
}

const caches: readonly Cache[] = [
  {
    name: 'verified tokens',
    bound: 10_000,
    async fill(count) {
      const auth = { keys: { kind: 'secret', secret: SECRET }, operatorRole: 'admin' } as const
      const verify = createTokenVerifier(auth, deps)
      for (let at = 0; at < count; at += 1) await verify(await token(at))
      return verify
    },
  },
  {
    name: 'last flags of a session',
    bound: 10_000,
    fill(count) {
      const known = new LastKnownGood()
      each(count, (at) =>
        known.remember({ ...owner(at), agentId: 'assistant', sessionId: uuid() }, undefined, { ...flags }),
      )
      return known
    },
  },
  {
    name: 'last flags of an org, and profiles of an agent',
    bound: 10_000,
    fill(count) {
      const known = new LastKnownGood()
      each(count, (at) => {
        known.rememberGuardrails(org(at), flags.guardrails)
        known.rememberRoute(org(at), flags.route)
        known.rememberProfile(`agent-${at}`, flags.profile)
        known.newest.note({ orgId: org(at), userId: '', agentId: '', sessionId: '' }, flags)
      })
      return known
    },
  },
  {
    name: 'limits of an org',
    bound: 10_000,
    fill(count) {
      const faults = new FlagFaults(systemClock, silentLogger)
      const refused = new RefusedFlags(faults, systemClock)
      const values = new LimitValues(() => 'default', refused, new KeptFlags(undefined, systemClock))
      const details = { flagKey: 'chat-limits', value: {}, variant: 'none', flagMetadata: {} }
      each(count, (at) => values.resolve(org(at), details))
      return values
    },
  },
  {
    name: 'known sessions',
    bound: 20_000,
    fill(count) {
      const known = new KnownSessions()
      each(count, (at) => known.add(uuid(), { owner: owner(at), agentId: 'assistant' }))
      return known
    },
  },
  {
    name: 'judged executions of the runtime one by one',
    bound: 16_384,
    fill(count) {
      const log = createJudgedLog(systemClock)
      each(count, (at) => log.record({ ...outcome(at) }))
      return log
    },
  },
  {
    name: 'windows of an org',
    bound: 10_000,
    fill(count) {
      const windows = createPublicWindows(systemClock, { windowSeconds: 300 })
      each(count, (at) => windows.record(outcome(at)))
      return windows
    },
  },
  {
    name: 'ended streams, without their events',
    bound: 10_000,
    fill(count) {
      const log = new MemoryStreamLog({ clock: systemClock, maxBytes: 0 })
      each(count, (at) => {
        const writer = log.open({ streamId: uuid(), sessionId: uuid(), owner: owner(at) })
        writer.append('data: {}\n\n', 1)
        writer.end()
      })
      return log
    },
  },
  {
    name: 'starts in a minute, by user and org',
    bound: 20_000,
    fill(count) {
      const rates = createStartRates(systemClock)
      each(count, (at) => rates.take([{ key: `user ${org(at % 100)}\n${user(at)}`, limit: 10 }]))
      return rates
    },
  },
  {
    name: 'tokens of the day of an org, as the database had them',
    bound: 10_000,
    async fill(count) {
      const usage = openSqliteUsage(join(directory, 'usage.db'), deps)
      for (let at = 0; at < count; at += 1) await usage.used(org(at))
      return usage
    },
  },
  {
    name: 'tokens of the day of an org, without a database',
    bound: 100_000,
    fill(count) {
      const usage = createMemoryUsage(systemClock)
      each(count, (at) => usage.add(org(at), 100))
      return usage
    },
  },
  {
    name: 'reservations of other replicas, with PostgreSQL',
    bound: 100_000,
    fill(count) {
      const watch = new ReservationWatch(15_000)
      const stopRequested = false
      each(count, (at) =>
        watch.see({ sessionId: uuid(), messageId: uuid(), stamp: 1e12 + at, stopRequested }, at),
      )
      return watch
    },
  },
  {
    name: 'idempotency keys, without a database or while it is away',
    bound: 50_000,
    async fill(count) {
      const keys = new MemoryKeys(systemClock)
      for (let at = 0; at < count; at += 1)
        await keys.reserve(owner(at), `key ${at}`, {
          bodyHash: 'x'.repeat(40) + String(at),
          sessionId: uuid(),
          messageId: uuid(),
        })
      return keys
    },
  },
]

const held: object[] = []
try {
  process.stdout.write('| cache | most | MB when full | bytes each |\n| --- | --- | --- | --- |\n')
  for (const { name, bound, fill } of caches) {
    // Code and shapes that a first filling makes are not the cache's.
    await fill(100)
    const before = await bytes()
    held.push(await fill(2 * bound))
    const taken = (await bytes()) - before
    process.stdout.write(
      `| ${name} | ${bound.toLocaleString('en')} | ${(taken / 1e6).toFixed(1)} | ${Math.round(taken / bound)} |\n`,
    )
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exit(held.length === caches.length ? 0 : 1)

async function bytes(): Promise<number> {
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    collectGarbage()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
