import { guardrailsSchema, resolveGuardrails } from '../../../src/decision/guardrails.js'
import type { OutcomeResult } from '../../../src/execution/outcome.js'
import { type Evidence, type FallbackGuardrails, NO_TALLY } from '../../../src/fallback/evidence/evidence.js'
import { evidenceByScope } from '../../../src/fallback/evidence/evidence-by-scope.js'
import { RateChange } from '../../../src/fallback/evidence/rate-change.js'
import { type Usual, UsualFailures } from '../../../src/fallback/evidence/usual-failures.js'
import { breachingRow, judgeRuntime, unsettled } from '../../../src/fallback/evidence/verdict.js'
import { next } from '../../../src/fallback/machine/machine.js'
import { type FallbackState, initialState, type StoreSeen } from '../../../src/fallback/machine/state.js'
import {
  AT_ONCE_MS,
  afterBurst,
  BURST_SPACING_MS,
  burstSize,
  burstVerdict,
  counted,
  judgedFailures,
  NO_COUNTS,
  newBurst,
  type ProbeCounts,
  withRegular,
} from '../../../src/fallback/probe/probe-counts.js'
import { createJudgedLog } from '../../../src/metrics/windows/judged-log.js'
import { createJudgedWindow } from '../../../src/metrics/windows/judged-window.js'
import { NEUTRAL, type Trip } from '../../../src/store/override/override.js'
import { Random } from '../simulation/random.js'
import { withGood } from './good-probes.js'
import type { Traffic } from './traffic.js'

/** As shipped. */
export const SHIPPED = resolveGuardrails(guardrailsSchema.parse({}), { errorRate: 0.5, totalMs: 300_000 })

/** A runtime of which a share of the executions and of the probes is bad, each by chance and for itself. */
export interface Greyness {
  /** 0 to 1 */
  readonly executions: number
  readonly probes: number
  /** what a bad execution is */
  readonly as: 'error' | 'timeout'
}

export const grey = (share: number, as: Greyness['as'] = 'error'): Greyness => ({
  executions: share,
  probes: share,
  as,
})

export interface Setting {
  readonly seed: number
  readonly traffic: Traffic
  readonly guardrails?: FallbackGuardrails & { readonly probeIntervalMs: number }
  /** what an earlier process kept of what is usual */
  readonly kept?: Usual
}

export interface Tripped {
  readonly cause: Trip['cause']
  /** ms since the last change of greyness, and turns since then */
  readonly afterMs: number
  readonly turns: number
}

const ORGS = 20
const SESSIONS = 1000
const RESULTS = {
  ok: { result: 'ok' },
  error: { result: 'error', code: 'runtime_error', phase: 'streaming' },
  timeout: { result: 'timeout', code: 'total_timeout', phase: 'streaming' },
} as const

const outcomesOf = (result: OutcomeResult) =>
  Array.from({ length: SESSIONS }, (_, session) => ({
    ...result,
    mode: 'runtime_orchestrator' as const,
    orgId: `org-${session % ORGS}`,
    agentId: 'assistant',
    sessionId: String(session),
    startedAt: 0,
    latencyMs: 800,
  }))

/** One object for each session, used again and again: those who record it keep none. */
const OUTCOMES = {
  ok: outcomesOf(RESULTS.ok),
  error: outcomesOf(RESULTS.error),
  timeout: outcomesOf(RESULTS.timeout),
}
/** of its own length: what a judged window may reach beyond what it was asked for */
const BEYOND = 1.05
/** probes, after which nothing older counts in what is usual */
const REMEMBERED = 3000
const NOTHING: StoreSeen = { kind: 'override', hash: 'h', override: NEUTRAL }

/**
 * One replica under the shipped guardrails beside a runtime that is a little, or very, unwell: the machine, the judged windows
 * and the burst's rules are the real ones, the clock is not. So fast that many thousand hours pass in a minute, by two shortcuts:
 * an execution ends where it begins, and the machine is asked only at those ticks that might find a breach.
 */
export class GreyRuntime {
  now = 0
  turns = 0
  readonly #random: Random
  readonly #traffic: Traffic
  readonly #guardrails: FallbackGuardrails & { readonly probeIntervalMs: number }
  readonly #runtime
  readonly #log
  readonly #usual = new UsualFailures()
  readonly #change = new RateChange()
  #state: FallbackState
  #counts: ProbeCounts = NO_COUNTS
  #greyness: Greyness = grey(0)
  #changedAt = 0
  #turnsAtChange = 0
  #turnAt: number
  #tickAt: number
  #probeAt = Number.POSITIVE_INFINITY
  #lastTurnAt: number | undefined
  /** instants of the failures that a window can still hold */
  #failures: number[] = []
  #streak = 0
  readonly #leastFailures: number

  constructor({ seed, traffic, guardrails = SHIPPED, kept }: Setting) {
    if (kept !== undefined) this.#usual.seed(kept)
    const clock = {
      monotonic: () => this.now,
      wall: () => this.now,
      schedule: () => ({ cancel: () => undefined }),
    }
    this.#random = new Random(seed)
    this.#traffic = traffic
    this.#guardrails = guardrails
    this.#runtime = createJudgedWindow(clock)
    this.#log = createJudgedLog(clock)
    this.#turnAt = traffic.gapMs(this.#random, 0)
    this.#tickAt = this.#random.between(0, guardrails.tickMs)
    this.#state = initialState({ replica: 'r1', owner: 'r1#1' }, 0)
    this.#tick()
    // With a confidence fewer are enough.
    const { confidence, minSamples, errorRate, timeoutRate } = guardrails
    this.#leastFailures = confidence > 0 ? 1 : Math.floor(minSamples * Math.min(errorRate, timeoutRate)) + 1
  }

  set greyness(greyness: Greyness) {
    this.#greyness = greyness
    this.#changedAt = this.now
    this.#turnsAtChange = this.turns
    this.#probeAt = this.now + this.#nextBadProbeMs()
  }

  get usual(): Usual {
    return this.#usual.known
  }

  /** Goes on until it trips, or until then; after a trip all begins anew. */
  run(until: number): Tripped | undefined {
    for (;;) {
      const at = Math.min(this.#turnAt, this.#probeAt, this.#nextTickAt())
      if (at > until) {
        this.now = until
        return undefined
      }
      this.now = at
      let cause: Trip['cause'] | undefined
      if (at === this.#turnAt) this.#turn()
      else if (at === this.#probeAt) cause = this.#badProbe()
      else cause = this.#tickIfBreach()
      if (cause === undefined) continue
      const { now, turns } = this
      this.#anew()
      return { cause, afterMs: now - this.#changedAt, turns: turns - this.#turnsAtChange }
    }
  }

  /** What is usual becomes known, and nothing trips meanwhile: a runtime that has been so for long, or policy `observe`. */
  learn(turns: number): void {
    const probes = this.#greyness.probes
    let good = 0
    for (let index = 0; index < REMEMBERED; index += 1) {
      if (this.#random.chance(probes)) {
        this.#counts = withRegular(withGood(this.#counts, good), false)
        good = 0
      } else good += 1
    }
    this.#counts = withGood(this.#counts, good)
    for (let index = 0; index < turns; index += 1) {
      this.now = this.#turnAt
      this.#turn()
    }
    this.#tickAt = this.now + this.#guardrails.tickMs
    this.#probeAt = this.now + this.#nextBadProbeMs()
  }

  #turn(): void {
    const { now } = this
    const random = this.#random
    this.turns += 1
    this.#turnAt = now + this.#traffic.gapMs(random, this.turns)
    this.#lastTurnAt = now
    const isBad = random.chance(this.#greyness.executions)
    const outcomes = OUTCOMES[isBad ? this.#greyness.as : 'ok']
    const outcome = outcomes[random.whole(0, SESSIONS - 1)]
    if (outcome === undefined) throw new RangeError('no such session')
    outcome.startedAt = now
    this.#runtime.record(outcome)
    this.#log.record(outcome)
    const isTimeout = isBad && this.#greyness.as === 'timeout'
    const [error, timeout] = [isBad ? 1 : 0, isTimeout ? 1 : 0] as const
    const { sessionId } = outcome
    this.#change.record(now, { error, timeout, sessionId }, this.#usual.known, this.#guardrails)
    this.#usual.record(now, unsettled(this.#guardrails), isBad ? 1 : 0, isTimeout ? 1 : 0)
    if (!isBad) {
      this.#streak = 0
      return
    }
    this.#streak += 1
    this.#failures.push(now)
  }

  /** The next tick that may find something; those before it find nothing, for too few have failed. */
  #nextTickAt(): number {
    const { tickMs } = this.#guardrails
    if (this.#mayBreach()) return this.#tickAt
    const first = Math.min(this.#turnAt, this.#probeAt)
    if (first > this.#tickAt) this.#tickAt += Math.ceil((first - this.#tickAt) / tickMs) * tickMs
    return Math.max(this.#tickAt, first + Number.EPSILON)
  }

  #mayBreach(): boolean {
    const { windowSeconds, consecutiveFailures } = this.#guardrails
    const edge = this.now - windowSeconds * 1000 * BEYOND
    if (this.#failures.length > 2 * this.#leastFailures && (this.#failures[0] ?? 0) < edge)
      this.#failures = this.#failures.filter((at) => at >= edge)
    if (this.#streak >= consecutiveFailures || this.#change.found !== undefined) return true
    const oldest = this.#failures.at(-this.#leastFailures)
    return oldest !== undefined && oldest >= edge
  }

  #tickIfBreach(): Trip['cause'] | undefined {
    this.#tickAt += this.#guardrails.tickMs
    const runtime = this.#windows()
    const { kind } = judgeRuntime({ runtime }, this.#guardrails)
    return kind === 'breach' ? this.#tick() : undefined
  }

  /** The machine itself; its cause where it trips. */
  #tick(): Trip['cause'] | undefined {
    const { now } = this
    const guardrails = this.#guardrails
    const runtime = this.#windows()
    const evidence = {
      ...this.#known(),
      runtime,
      ...evidenceByScope(this.#log, undefined, runtime, 0, guardrails),
    }
    const { state } = next(this.#state, {
      kind: 'tick',
      now,
      wall: now,
      evidence,
      guardrails,
      policy: 'auto',
      store: NOTHING,
      lease: { kind: 'missing' },
      provider: { ready: true, override: NEUTRAL },
      jitter: 0,
    })
    this.#state = state
    const { auto } = state.known
    return auto.state === 'fallback' ? auto.trip.cause : undefined
  }

  #windows(): Evidence['runtime'] {
    const { windowSeconds, fastWindowSeconds, minSamples } = this.#guardrails
    const windowMs = windowSeconds * 1000
    const fast = this.#runtime.newest(fastWindowSeconds * 1000, 2 * minSamples, windowMs)
    const slow = this.#runtime.tally(windowMs)
    const { known: usual } = this.#usual
    const streak = this.#runtime.streak(breachingRow(this.#guardrails, usual))
    // What a recovery would be judged by: there is none here.
    const { found: changed } = this.#change
    return { slow, fast, recent: NO_TALLY, streak, usual, ...(changed === undefined ? {} : { changed }) }
  }

  #known(): Omit<Evidence, 'runtime'> {
    const { now } = this
    const { goodSince, healthy } = this.#counts
    return {
      at: now,
      direct: NO_TALLY,
      probe: {
        failures: judgedFailures(this.#counts, this.#guardrails.probeFailures),
        goodForMs: goodSince === undefined ? 0 : now - goodSince,
        healthy: healthy === true,
      },
      runtimeTurnAgoMs: this.#lastTurnAt === undefined ? null : now - this.#lastTurnAt,
      quietForMs: this.#lastTurnAt === undefined ? now : now - this.#lastTurnAt,
    }
  }

  // -- the probes

  /** Good ones but tell what is usual: the next bad one is looked for at once. */
  #nextBadProbeMs(): number {
    const share = this.#greyness.probes
    if (share === 0) return Number.POSITIVE_INFINITY
    const good = share >= 1 ? 0 : Math.floor(Math.log(1 - this.#random.next()) / Math.log(1 - share))
    // What is usual is forgotten after some thousand.
    this.#counts = withGood(this.#counts, Math.min(good, REMEMBERED))
    return (good + 1) * this.#guardrails.probeIntervalMs
  }

  /** A regular one was bad: its burst, whose instants turns and their heads go on in. */
  #badProbe(): Trip['cause'] | undefined {
    const startedAt = this.now
    const random = this.#random
    this.#counts = counted(withRegular(this.#counts, false), false, startedAt)
    let burst = newBurst(startedAt, burstSize(this.#counts, this.#guardrails.probeFailures))
    this.#probeAt = startedAt + Math.max(this.#nextBadProbeMs(), AT_ONCE_MS)
    while (burst.bad < burst.size) {
      if (!random.chance(this.#greyness.probes)) return undefined
      burst = { ...burst, sent: burst.sent + 1, bad: burst.bad + 1 }
    }
    const endsAt = startedAt + (burst.size - 1) * BURST_SPACING_MS
    let headAt = Number.NEGATIVE_INFINITY
    while (this.#turnAt <= endsAt) {
      this.now = this.#turnAt
      const before = this.#streak
      this.#turn()
      // A failed one got no head here, which makes a trip more likely, not less.
      if (this.#streak <= before) headAt = this.now
    }
    this.now = endsAt
    if (burstVerdict(burst, headAt) !== 'unhealthy') return undefined
    const { usual } = this.#counts
    this.#counts = afterBurst(this.#counts, 'unhealthy')
    const cause = this.#tick()
    // An installation that does not use the runtime is left in peace, and the next good probe ends it.
    this.#counts = { ...NO_COUNTS, ...(usual === undefined ? {} : { usual }) }
    return cause
  }

  #anew(): void {
    this.#runtime.restart(this.now)
    this.#log.restart(this.now)
    this.#usual.restart()
    this.#change.restart()
    this.#failures = []
    this.#streak = 0
    this.#state = initialState({ replica: 'r1', owner: 'r1#1' }, this.now)
    this.#tick()
  }
}
