import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../../src/core/clock.js'
import type { OutcomeResult } from '../../../src/execution/outcome.js'
import type { Evidence } from '../../../src/fallback/evidence/evidence.js'
import { evidenceByScope, LONGEST_MS } from '../../../src/fallback/evidence/evidence-by-scope.js'
import { UsualFailures } from '../../../src/fallback/evidence/usual-failures.js'
import { breachingRow, recoveryReach, unsettled } from '../../../src/fallback/evidence/verdict.js'
import type { Command } from '../../../src/fallback/fallback.js'
import { parseLease, renderLease } from '../../../src/fallback/loop/lease-file.js'
import { overrideSource } from '../../../src/fallback/loop/override-source.js'
import { ScopeIdleTime } from '../../../src/fallback/loop/scope-idle-time.js'
import { next } from '../../../src/fallback/machine/machine.js'
import {
  type Effect,
  type FallbackInput,
  type FallbackState,
  initialState,
  judgedScope,
  type LeaseSeen,
  type StoreSeen,
} from '../../../src/fallback/machine/state.js'
import {
  afterBurst,
  BURST_SPACING_MS,
  burstSize,
  burstVerdict,
  counted,
  isOutdated,
  judgedFailures,
  NO_COUNTS,
  newBurst,
  nextProbeAt,
  type ProbeCounts,
  withRegular,
} from '../../../src/fallback/probe/probe-counts.js'
import { createJudgedLog } from '../../../src/metrics/windows/judged-log.js'
import { createJudgedWindow } from '../../../src/metrics/windows/judged-window.js'
import type { JudgedLog, JudgedWindow } from '../../../src/metrics/windows/windows.js'
import { covers as isInScope, type ScopeSubject } from '../../../src/protocol/fallback-scope.js'
import type { Stored } from '../../../src/store/flag-store.js'
import { renderOverride } from '../../../src/store/override/override-document.js'
import type { Checks } from './checks.js'
import { covers, isOn, parsedOf } from './content.js'
import { SimProvider } from './provider.js'
import type { Random } from './random.js'
import { LATE_FAULT, READ_FAULT, type RuntimeCondition, type World, WRITE_FAULT } from './world.js'

/** A machine: its clocks run by their own rate, and its wall clock is off. */
export interface Host {
  readonly name: string
  readonly origin: number
  readonly rate: number
  wallOffset: number
  unreadable: boolean
  unwritable: boolean
  /** its own way to the runtime; null: as it truly is */
  runtime: RuntimeCondition | null
  /** true ms between two of its turns */
  turnMs: number
  /** true time: its process stands still until then, and does what is overdue */
  stoppedUntil: number
}

const PROBE_MS = 1000
const PROBE_TIMEOUT_MS = 2000
const MAX_ATTEMPTS = 5
const PAUSE_MS = 20
/** share of what is bad in a grey runtime */
const GREY = 0.2
const SHADOW_EVERY_MS = 2500
const SHADOW_SHARE = 0.3
/** One org has most of the turns, and one agent. */
const ORGS = ['a', 'a', 'a', 'b', 'c'] as const
const AGENTS = ['x', 'x', 'x', 'y', 'z'] as const

/** One process of the service: the pure machine, driven as the loop drives it. */
export class SimReplica {
  state: FallbackState
  alive = true
  /** each input that changed anything, as JSON */
  readonly inputs: string[] = []
  readonly provider: SimProvider
  readonly startedAt: number
  /** true times: since then its own runtime has been as it is; the last thing that ended its fallback by hand */
  disturbedAt: number
  /** ticks that changed anything, and all */
  changedTicks = 0
  ticks = 0
  /** monotonic: executions started before are forgotten */
  restartedAt = Number.NEGATIVE_INFINITY
  /** the revision that its provider showed when the present round began */
  providedAtStart = 0
  /** the file's content that the present tick works on */
  reading: World['override']
  readonly #clock: Clock
  readonly #runtime: JudgedWindow
  readonly #log: JudgedLog
  readonly #scoped = new ScopeIdleTime()
  readonly #direct: JudgedWindow
  readonly #usual = new UsualFailures()
  readonly #initial: FallbackState
  #counts: ProbeCounts = NO_COUNTS
  #lastRuntimeTurnAt: number | undefined
  #lastCandidateAt: number
  #lastShadowAt = Number.NEGATIVE_INFINITY
  #isBursting = false
  #resultAt: number | undefined
  #headAt = Number.NEGATIVE_INFINITY
  #running = false
  #nudged = false
  #roundNumber = 0

  constructor(
    readonly world: World,
    readonly host: Host,
    readonly random: Random,
    readonly checks: Checks,
    nonce: string,
  ) {
    this.#clock = {
      monotonic: () => this.monotonic,
      wall: () => this.wall,
      schedule: () => ({ cancel: () => undefined }),
    }
    this.#runtime = createJudgedWindow(this.#clock)
    this.#log = createJudgedLog(this.#clock)
    this.#direct = createJudgedWindow(this.#clock)
    this.provider = new SimProvider(world, () => random.between(0, 500))
    this.state = initialState({ replica: host.name, owner: `${host.name}#${nonce}` }, this.monotonic)
    this.#initial = this.state
    this.#lastCandidateAt = this.monotonic
    this.startedAt = world.now
    this.disturbedAt = world.now
    this.#after(0, () => this.#begin())
    this.#after(random.between(0, 100), () => this.#probe())
    this.#after(random.between(0, host.turnMs), () => this.#turn())
  }

  get monotonic(): number {
    return this.host.origin + this.world.now * this.host.rate
  }

  get wall(): number {
    return Math.floor(Date.UTC(2026, 0, 1) + this.world.now + this.host.wallOffset)
  }

  get condition(): RuntimeCondition {
    return this.host.runtime ?? this.world.runtime
  }

  get isStopped(): boolean {
    return this.host.stoppedUntil > this.world.now
  }

  get initial(): FallbackState {
    return this.#initial
  }

  kill(): void {
    this.alive = false
    this.provider.stop()
  }

  command(command: Command): void {
    const { guardrails } = this.world
    this.#advance({ kind: 'command', ...this.#instant(), command, guardrails })
    this.#nudge()
  }

  /** As the request edge decides it. */
  isOn(subject: ScopeSubject, session: number): boolean {
    const { state, provider } = this
    const on = provider.view?.on(subject, session) ?? false
    const revision = provider.view?.revision
    const provided = { on, ...(revision === undefined ? {} : { revision }) }
    const isOwnOn = (): boolean => isOn(state.known, subject, session)
    switch (overrideSource(state, provided, subject, isOwnOn)) {
      case 'isolated':
      case 'tripped':
        return true
      case 'provider':
        return on
      case 'own':
        return isOwnOn()
    }
  }

  #after(delayMs: number, run: () => void): void {
    this.world.scheduler.after(delayMs, () => {
      if (!this.alive) return
      if (this.isStopped) this.#after(this.host.stoppedUntil - this.world.now, run)
      else run()
    })
  }

  #instant(): { now: number; wall: number } {
    return { now: this.monotonic, wall: this.wall }
  }

  // -- the loop

  #nudge(): void {
    if (this.#running) this.#nudged = true
    else this.#after(PAUSE_MS, () => this.#begin())
  }

  #begin(): void {
    if (this.#running) return
    this.#running = true
    this.#nudged = false
    this.#roundNumber += 1
    const startedAt = this.world.now
    this.#resume(this.#round(), () => {
      this.#running = false
      this.checks.roundEnded(this)
      const number = this.#roundNumber
      const late = this.random.chance(0.02) ? this.random.between(0, 2500) : this.random.between(0, 30)
      const due = this.#nudged ? PAUSE_MS : startedAt + this.world.guardrails.tickMs + late - this.world.now
      this.#after(due, () => {
        if (number === this.#roundNumber) this.#begin()
      })
    })
  }

  #resume(round: Generator<number, void, void>, done: () => void): void {
    const { done: isDone, value } = round.next()
    if (isDone === true) done()
    else this.#after(value ?? 0, () => this.#resume(round, done))
  }

  *#round(): Generator<number, void, void> {
    const { world, random } = this
    const { guardrails, policy } = world
    const { ready, view } = this.provider
    const override = view?.override
    this.providedAtStart = view?.revision ?? 0
    const provider = { ready, ...(override === undefined ? {} : { override }) }
    const evidence = this.#evidence()
    let found: Stored | undefined
    for (let attempt = 1; ; attempt += 1) {
      yield random.between(0, 20)
      // A slow store: what was read last is all there is, and may be another replica's by now.
      const isLate = found === undefined && world.lateShare > 0 && random.chance(world.lateShare)
      const store: StoreSeen = isLate
        ? { kind: 'failed', fault: LATE_FAULT, isLate: true }
        : this.#seen(found)
      const lease: LeaseSeen = isLate || found !== undefined ? { kind: 'failed' } : this.#readLease()
      yield random.between(0, 5)
      const jitter = random.next()
      const instant = this.#instant()
      const effects = this.#advance({
        kind: 'tick',
        ...instant,
        evidence,
        guardrails,
        policy,
        store,
        lease,
        provider,
        jitter,
      })
      this.ticks += 1
      found = undefined
      for (const effect of effects) {
        if (effect.kind === 'write') found = yield* this.#write(effect)
        else if (effect.kind === 'write_lease') yield* this.#writeLease(effect)
      }
      if (found === undefined) return
      if (attempt === MAX_ATTEMPTS) {
        this.#nudge()
        return
      }
    }
  }

  /** What is there now, where the race was lost. */
  *#write(effect: Effect & { kind: 'write' }): Generator<number, Stored | undefined, void> {
    const { world, random, host } = this
    const { override, expected, version } = effect
    const isProposal = this.state.proposal?.version === version
    yield random.chance(0.03) ? random.between(0, 1200) : random.between(0, 30)
    const before = world.override
    const result = host.unwritable
      ? ({ kind: 'failed', fault: WRITE_FAULT } as const)
      : world.write(renderOverride(override, before?.text), expected)
    if (result.kind === 'conflict') this.reading = world.override
    if (result.kind === 'written') this.checks.landed(this, override, isProposal, before)
    yield random.between(0, 10)
    switch (result.kind) {
      case 'conflict':
        return result.stored
      case 'written':
        // Rarely it cannot be told.
        if (random.chance(0.03)) break
        this.#advance({
          kind: 'written',
          ...this.#instant(),
          hash: result.hash,
          revision: override.revision,
          version,
          guardrails: world.guardrails,
        })
        return undefined
      case 'failed':
        break
    }
    this.#advance({ kind: 'write_failed', ...this.#instant(), fault: WRITE_FAULT, jitter: random.next() })
    return undefined
  }

  *#writeLease({ lease }: Effect & { kind: 'write_lease' }): Generator<number, void, void> {
    const { world, random, host } = this
    yield random.between(0, 30)
    if (host.unwritable) return
    const result = world.writeLease(renderLease(lease, this.wall), lease.expected)
    yield random.between(0, 10)
    if (result.kind !== 'written') return
    this.#advance({ kind: 'lease_written', ...this.#instant(), hash: result.hash, owner: lease.owner })
  }

  #advance(input: FallbackInput): readonly Effect[] {
    const before = this.state
    const step = next(before, input)
    if (input.kind === 'tick') this.checks.ticked(step, input)
    if (step.effects.length === 0 && isDeepStrictEqual(step.state, before)) return []
    this.changedTicks += 1
    this.inputs.push(JSON.stringify(input))
    this.state = step.state
    this.checks.decided(this, before, step, input)
    for (const effect of step.effects) {
      if (effect.kind === 'restart_evidence') {
        this.restartedAt = this.monotonic
        this.#runtime.restart(this.monotonic)
        this.#log.restart(this.monotonic, effect.scope)
        this.#usual.restart()
      }
      if (effect.kind === 'reset_health') {
        this.#counts = NO_COUNTS
        this.#usual.clear()
        this.disturbedAt = this.world.now
      }
    }
    return step.effects
  }

  /** The store as read, or as a lost race found it. */
  #seen(found: Stored | undefined): StoreSeen {
    if (found === undefined) this.reading = this.world.override
    if (found === undefined && this.host.unreadable) return { kind: 'failed', fault: READ_FAULT }
    const stored = found ?? this.world.read()
    if (stored.kind !== 'text') return stored
    const { hash, text } = stored
    const value = parsedOf(text)
    return { ...value, hash }
  }

  #readLease(): LeaseSeen {
    return this.host.unreadable ? { kind: 'failed' } : parseLease(this.world.readLease())
  }

  // -- what it knows

  #evidence(): Evidence {
    const { world } = this
    const { guardrails } = world
    const now = this.monotonic
    const windowMs = guardrails.windowSeconds * 1000
    const fastMs = guardrails.fastWindowSeconds * 1000
    const { goodSince, healthy } = this.#counts
    const agoMs = this.#resultAt === undefined ? undefined : now - this.#resultAt
    const isOld = isOutdated(agoMs, PROBE_MS, PROBE_TIMEOUT_MS)
    const runtime = {
      slow: this.#runtime.tally(windowMs),
      fast: this.#runtime.newest(fastMs, 2 * guardrails.minSamples, windowMs),
      recent: this.#runtime.newest(fastMs, recoveryReach(guardrails), LONGEST_MS),
      streak: this.#runtime.streak(breachingRow(guardrails, this.#usual.known)),
      usual: this.#usual.known,
    }
    const scope = judgedScope(this.state)
    return {
      at: now,
      runtime,
      ...evidenceByScope(this.#log, scope, runtime, this.#scoped.forMs(scope, now), guardrails),
      direct: this.#direct.tally(60_000),
      standby: world.directUnusable ? { unusable: true, why: 'http_status 401' } : { unusable: false },
      probe: {
        failures: judgedFailures(
          isOld ? { ...this.#counts, healthy: true } : this.#counts,
          guardrails.probeFailures,
        ),
        goodForMs: goodSince === undefined ? 0 : now - goodSince,
        healthy: !isOld && healthy === true,
      },
      runtimeTurnAgoMs: this.#lastRuntimeTurnAt === undefined ? null : now - this.#lastRuntimeTurnAt,
      quietForMs: now - this.#lastCandidateAt,
    }
  }

  #probe(): void {
    const startedAt = this.monotonic
    this.#ask((isGood) => {
      this.#counts = withRegular(this.#counts, isGood)
      if (!isGood && this.#counts.healthy !== false) this.#burst()
      this.#after(nextProbeAt(startedAt, PROBE_MS, false) - this.monotonic, () => this.#probe())
    })
  }

  #ask(answered: (isGood: boolean) => void): void {
    const { random } = this
    const isGood = this.condition === 'grey' ? !random.chance(GREY) : this.condition !== 'dead'
    this.#after(isGood ? random.between(5, 60) : random.between(1, 10), () => {
      this.#counts = counted(this.#counts, isGood, this.monotonic)
      this.#resultAt = this.monotonic
      answered(isGood)
    })
  }

  #burst(): void {
    if (this.#isBursting) return
    this.#isBursting = true
    let burst = newBurst(this.monotonic, burstSize(this.#counts, this.world.guardrails.probeFailures))
    let isOpen = true
    const end = (): void => {
      isOpen = false
      this.#isBursting = false
    }
    for (let index = 0; index < burst.size; index += 1)
      this.#after(index * BURST_SPACING_MS, () =>
        this.#ask((isGood) => {
          if (!isOpen) return
          if (isGood) return end()
          burst = { ...burst, bad: burst.bad + 1 }
          const verdict = burstVerdict(burst, this.#headAt)
          if (verdict === 'open') return
          this.#counts = afterBurst(this.#counts, verdict)
          end()
          if (verdict === 'unhealthy') this.#nudge()
        }),
      )
  }

  // -- turns

  #turn(): void {
    const { world, random, host } = this
    this.#after(random.between(0.5, 1.5) * host.turnMs * this.#slowness(), () => this.#turn())
    if (!world.traffic) return
    const subject = { orgId: random.pick(ORGS), agentId: random.pick(AGENTS) }
    this.#lastCandidateAt = this.monotonic
    this.#scoped.turn(judgedScope(this.state), subject, this.monotonic)
    const session = random.whole(0, 99)
    if (this.isOn(subject, session)) {
      this.#execute('direct_llm', subject, session)
      if (this.#maySpareShadow(subject)) this.#execute('runtime_orchestrator', subject, session)
    } else {
      this.#lastRuntimeTurnAt = this.monotonic
      this.#execute('runtime_orchestrator', subject, session)
    }
  }

  #slowness(): number {
    switch (this.world.pace) {
      case 'even':
        return 1
      case 'light':
        return 8
      case 'crowds':
        return this.random.chance(0.9) ? 0.2 : 10
    }
  }

  /** Of the turns that the override takes off the runtime a share, and one at least every so often. */
  #maySpareShadow(subject: ScopeSubject): boolean {
    const { known, isolated } = this.state
    if (this.world.policy === 'off' || covers(known.manual, subject.orgId)) return false
    if (known.auto.state === 'normal' && !isolated) return false
    if (!isInScope(judgedScope(this.state), subject)) return false
    const isDue = this.monotonic - this.#lastShadowAt >= SHADOW_EVERY_MS
    if (!isDue && !this.random.chance(SHADOW_SHARE)) return false
    this.#lastShadowAt = this.monotonic
    return true
  }

  #execute(mode: 'direct_llm' | 'runtime_orchestrator', subject: ScopeSubject, session: number): void {
    const startedAt = this.monotonic
    const ended = this.#ended(mode, subject)
    if (mode === 'runtime_orchestrator' && this.condition !== 'dead') this.#headAt = startedAt
    this.#after(ended.latencyMs, () => {
      const { orgId, agentId } = subject
      const outcome = { ...ended, mode, orgId, agentId, sessionId: `${orgId}-${session}`, startedAt }
      if (mode === 'direct_llm') {
        this.#direct.record(outcome)
        return
      }
      this.#runtime.record(outcome)
      this.#log.record(outcome)
      this.#recordUsual(ended.result)
    })
  }

  /** As the loop does. */
  #recordUsual(result: OutcomeResult['result']): void {
    const { known, isolated, wouldTrip, bothSick } = this.state
    if (known.auto.state === 'fallback' || isolated || wouldTrip !== null || bothSick) this.#usual.restart()
    else {
      const [error, timeout] = [result === 'ok' ? 0 : 1, result === 'timeout' ? 1 : 0] as const
      this.#usual.record(this.monotonic, unsettled(this.world.guardrails), error, timeout)
    }
  }

  #ended(
    mode: 'direct_llm' | 'runtime_orchestrator',
    subject: ScopeSubject,
  ): OutcomeResult & { latencyMs: number } {
    const { random, world } = this
    const ok = { result: 'ok', latencyMs: random.between(40, 200) } as const
    const failed = {
      result: 'error',
      code: 'runtime_error',
      phase: 'connect',
      latencyMs: random.between(5, 3000),
    } as const
    if (mode === 'direct_llm') return world.directSick && random.chance(0.9) ? failed : ok
    switch (this.condition) {
      case 'well':
        if (world.sick !== null && isInScope(world.sick, subject) && random.chance(0.95)) return failed
        return random.chance(0.02) ? failed : ok
      case 'dead':
        return { ...failed, latencyMs: random.between(1, 20) }
      case 'broken':
        return failed
      case 'grey':
        return random.chance(GREY) ? failed : ok
      case 'half':
        return random.chance(0.7) ? failed : ok
      case 'slow':
        return random.chance(0.5)
          ? { ...ok, latencyMs: random.between(2500, 4000) }
          : { result: 'timeout', code: 'total_timeout', phase: 'streaming', latencyMs: 4000 }
    }
  }
}
