import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { type Caller, evaluationContext } from '../../src/decision/caller.js'
import { createTurnDefaults } from '../../src/decision/code-defaults.js'
import { connectFlagd } from '../../src/decision/daemon/flagd-providers.js'
import { FLAG_KEYS } from '../../src/decision/flags.js'
import { createFlags } from '../../src/decision/open-feature-flags.js'
import { bindProvider } from '../../src/decision/sdk-client.js'
import { NO_ROLLOUT } from '../../src/store/rollout/rollout.js'
import { renderRollout } from '../../src/store/rollout/rollout-document.js'
import { CODE_DEFAULTS, callerOf, flagsConfig, opsDocument, overrideDocument } from '../support/flag-files.js'
import { flagdKind, startTestFlagd, type TestFlagd } from '../support/flagd.js'
import { temporaryDirectory } from '../support/temporary-directory.js'

const SESSIONS = 10_000
const CALLERS = Array.from({ length: SESSIONS }, (_, at) => callerOf(at))
/** questions by rpc under way at a time */
const AT_ONCE = 100
const against = flagdKind === 'flagd' ? 'the real flagd' : 'the flagd simulator'

/** Which of the sessions are shadowed. */
type Shadowed = readonly boolean[]
const numbers = (shadowed: Shadowed): number[] => shadowed.flatMap((is, at) => (is ? [at] : []))

describe(`the share of shadowed sessions (${against})`, function () {
  this.timeout(90_000)
  const directory = temporaryDirectory()
  let flagd: TestFlagd | undefined
  afterEach(() => flagd?.close())

  function files(percent: number): [ops: string, override: string] {
    const paths: [string, string] = [directory.path('ops.json'), directory.path('override.json')]
    // All flags, as shipped: each that is absent would be an error for each turn.
    const others = { mode: 'direct_llm', guardrails: {}, profile: {}, route: {} }
    writeFileSync(paths[0], opsDocument({ shadowPercent: percent, ...others }))
    writeFileSync(paths[1], renderRollout(NO_ROLLOUT, overrideDocument('off')))
    return paths
  }

  async function byFile(percent: number): Promise<Shadowed> {
    const deps = { clock: systemClock, logger: silentLogger }
    const flags = createFlags(flagsConfig(...files(percent)), CODE_DEFAULTS, deps)
    await flags.start()
    try {
      const shadowed: boolean[] = []
      for (const caller of CALLERS) shadowed.push((await flags.forTurn(caller)).shadow)
      return shadowed
    } finally {
      await flags.close()
    }
  }

  /** As the service connects, asked for this flag alone: five flags of 10,000 turns would take a minute by rpc. */
  async function byDaemon(resolver: 'in-process' | 'rpc', percent: number): Promise<Shadowed> {
    flagd ??= await startTestFlagd(files(percent))
    const port = resolver === 'rpc' ? flagd.evaluationPort : flagd.syncPort
    const connection = connectFlagd(resolver, { host: '127.0.0.1', port, tls: false }, () => {})
    const { client, unbind } = bindProvider(connection.provider, () => {})
    const ask = async (caller: Caller): Promise<boolean> => {
      for (;;) {
        const context = evaluationContext(caller)
        const { value, errorCode } = await client.getBooleanDetails(FLAG_KEYS.shadow, false, context)
        if (errorCode === undefined) return value
        // A busy machine may be late with a connection or an answer; who never answers runs into the test's time.
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
    try {
      const shadowed: boolean[] = []
      for (let from = 0; from < CALLERS.length; from += AT_ONCE)
        shadowed.push(...(await Promise.all(CALLERS.slice(from, from + AT_ONCE).map(ask))))
      return shadowed
    } finally {
      await connection.close()
      unbind()
    }
  }

  function byEnvironment(percent: number): Shadowed {
    const defaults = createTurnDefaults({ ...CODE_DEFAULTS, shadowPercent: percent })
    return CALLERS.map((caller) => defaults.shadow(evaluationContext(caller)))
  }

  it('is the one asked for, and the same sessions by every resolver and by the environment', async () => {
    const shadowed = await byFile(10)
    // 10,000 draws at 0.1: 1000 ± 30; 3.29 deviations hold 99.9%
    expect(numbers(shadowed).length).to.be.within(901, 1099)
    expect(numbers(byEnvironment(10))).to.deep.equal(numbers(shadowed))
    expect(numbers(await byDaemon('in-process', 10))).to.deep.equal(numbers(shadowed))
    expect(numbers(await byDaemon('rpc', 10))).to.deep.equal(numbers(shadowed))
  })

  it('grows from 10 to 20% around the sessions it has', async () => {
    const [ten, twenty] = [numbers(byEnvironment(10)), numbers(byEnvironment(20))]
    // 2000 ± 40
    expect(twenty.length).to.be.within(1868, 2132)
    expect(twenty).to.include.members(ten)
    expect(numbers(await byFile(20))).to.deep.equal(twenty)
  })
})
