import { isDeepStrictEqual } from 'node:util'
import { bounded } from '../core/bounded.js'
import type { Clock } from '../core/clock.js'
import { errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { createLoop } from '../core/loop.js'
import type { Outcome } from '../execution/outcome.js'
import type { Journal, Transition } from '../journal/journal.js'
import type { JudgedLog, JudgedWindow, PublicWindows } from '../metrics/windows/windows.js'
import type { FallbackPolicy } from '../protocol/fallback.js'
import { covers, type ScopeSubject } from '../protocol/fallback-scope.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { FlagStore, Stored } from '../store/flag-store.js'
import {
  overrideOfMetadata,
  type ParsedOverride,
  parseOverride,
} from '../store/override/override-document.js'
import { createOverrideEvaluator } from '../store/override/override-evaluator.js'
import { renderOverride } from '../store/override/override-rendering.js'
import type { Evidence, FallbackGuardrails } from './evidence/evidence.js'
import { evidenceByScope } from './evidence/evidence-by-scope.js'
import type { HealthView, Peers } from './evidence/health-quorum.js'
import type { KeptUsual } from './evidence/kept-usual.js'
import { RuntimeExecutions, type Use } from './evidence/runtime-executions.js'
import type {
  Alert,
  Command,
  CountingOverride,
  Fallback,
  FallbackEvent,
  FallbackSnapshot,
  ProvidedOverride,
  Subject,
} from './fallback.js'
import type { FleetEvidence } from './fleet/fleet-evidence.js'
import { abandonedAsTimeout } from './loop/abandoned-as-timeout.js'
import {
  adopted,
  alertOver,
  alertRaised,
  isolationBegan,
  isolationOver,
  roundFailed,
  transitioned,
  wouldHaveTripped,
  wouldTripNoMore,
} from './loop/fallback-log.js'
import { releaseLease, writeLease } from './loop/lease-file.js'
import { overrideSource } from './loop/override-source.js'
import { RuntimeLoss } from './loop/runtime-loss.js'
import { ScopeIdleTime } from './loop/scope-idle-time.js'
import { snapshotOf } from './loop/snapshot.js'
import { FlagStoreReader } from './loop/store-reader.js'
import { leaseMs } from './machine/lease.js'
import { next } from './machine/machine.js'
import {
  type Effect,
  type FallbackInput,
  type FallbackState,
  initialState,
  judgedScope,
  type Step,
} from './machine/state.js'
import type { HealthProbe, ProbeResult } from './probe/probe.js'
import { isOutdated, judgedFailures } from './probe/probe-counts.js'
import type { StandbyWatch } from './probe/standby-watch.js'

/** The guardrails of everything the loop runs. */
export interface LoopGuardrails extends FallbackGuardrails {
  readonly probeIntervalMs: number
  readonly probeTimeoutMs: number
  readonly recoveryShadowPercent: number
}

/** What the flags say to the loop, each time it asks. */
export interface LoopFlags {
  readonly guardrails: LoopGuardrails
  readonly policy: FallbackPolicy
  readonly override?: {
    readonly on: boolean
    readonly metadata: Readonly<Record<string, string | number | boolean>>
  }
  readonly ready: boolean
}

export interface FallbackDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly replica: string
  /** of this start of this process */
  readonly nonce: string
  /** 0 to 1 */
  random(): number
  /** in force until the flags are asked first */
  readonly codeDefaults: Pick<LoopFlags, 'guardrails' | 'policy'>
  readonly flags: {
    forService(): Promise<LoopFlags>
    onChange(listener: (keys: readonly string[]) => void): () => void
  }
  readonly store: FlagStore
  readonly probe: (wiring: {
    onResult(result: ProbeResult): void
    guardrails(): LoopGuardrails
  }) => HealthProbe
  /** absent: nobody looks after the direct LLM while it is not used */
  readonly standby?: (wiring: { onChange(): void }) => StandbyWatch
  /** what usually fails, from one start to the next; absent: each start knows nothing */
  readonly keptUsual?: KeptUsual
  readonly judged: {
    readonly runtime: JudgedWindow
    readonly direct: JudgedWindow
    /** the runtime's, by org and agent */
    readonly log: JudgedLog
  }
  /** executions and health of other replicas; absent: this one judges alone */
  readonly fleet?: FleetEvidence
  /** Hands on what is evidence, and keeps back our own faults; absent: everything is evidence. */
  sift?(outcome: Outcome, record: (outcome: Outcome) => void): void
  /** what others have to tell beside the loop's own alerts */
  otherAlerts?(): readonly Alert[]
  readonly windows: Pick<PublicWindows, 'clear' | 'resize'>
  readonly journal: Pick<Journal, 'keepTransition' | 'keepSample'>
  /** Never throws, never waits. */
  notify(transition: Transition): void
}

/** The fallback with its loop. */
export interface RunningFallback extends Fallback {
  /** Ends after the first round; never rejects. */
  start(): Promise<void>
  /** Ends the loop and the probe, and lets the lease go. */
  stop(): Promise<void>
  /** The live connection to the runtime was refused or broken: probe at once. */
  trouble(): void
  /** A request went out to the runtime, of a turn or a shadow. */
  requestSent(): void
  /** An execution of the runtime, of a turn or a shadow, got its response head. */
  headCame(): void
  /** One recovery shadow's end, into the judged window alone. */
  recordShadow(outcome: Outcome): void
  /** in force now */
  readonly guardrails: LoopGuardrails
  /** A turn that goes to the direct LLM because of the override may be tried on the runtime, silently. */
  maySpareShadow(subject: Subject): boolean
}

/** ms: the direct LLM is judged over its newest minute (rule: as unhealthy?) */
const DIRECT_WINDOW_MS = 60_000
/** ms after a turn for the runtime in which its replica has a say on the runtime's health */
const SAW_TURN_MS = 60_000
/** ms between rounds that were asked for: a burst of flag changes is one round */
const PAUSE_MS = 20
/** on what a lost race left, within one round; the lock itself has them wait by chance. The next round follows at once */
const MAX_ATTEMPTS = 5
/** samples between two of the whole state */
const CHECKPOINT_EVERY = 500
/** ms a command waits for the store */
const COMMAND_MS = 2000

/**
 * The loop around the machine: gathers evidence once a tick, asks, and does what it says. Decisions act in memory before
 * they are written. One round at a time; it survives its own errors.
 */
export function createFallback(deps: FallbackDeps): RunningFallback {
  return new FallbackLoop(deps)
}

class FallbackLoop implements RunningFallback {
  #state: FallbackState
  #flags: Pick<LoopFlags, 'guardrails' | 'policy'>
  /** the file's, as read or written last: of `store.seen` */
  #text: string | undefined
  #lastRuntimeTurnAt: number | undefined
  #lastCandidateAt: number
  readonly #scoped = new ScopeIdleTime()
  readonly #executions: RuntimeExecutions
  #evaluator: ReturnType<typeof createOverrideEvaluator>
  #loopFault: string | undefined
  #peers: Peers | undefined
  /** by the probes, when they told last */
  #wasUnhealthy = false
  #alerts: { readonly present: readonly Alert[]; readonly told: readonly Alert[] } = { present: [], told: [] }
  #seq = 0
  /** the state's first instant: a replay begins there */
  readonly #createdAt: number
  readonly #owner: string
  readonly #reader: FlagStoreReader<ParsedOverride>
  readonly #probe: HealthProbe
  readonly #standby: StandbyWatch | undefined
  readonly #loop: ReturnType<typeof createLoop>
  readonly #listeners = new Set<(event: FallbackEvent) => void>()
  readonly #loss: RuntimeLoss
  #forgetFlags: (() => void) | undefined

  constructor(private readonly deps: FallbackDeps) {
    const { clock, replica, nonce } = deps
    this.#flags = deps.codeDefaults
    this.#owner = `${replica}#${nonce}`
    this.#createdAt = clock.monotonic()
    this.#state = initialState({ replica, owner: this.#owner }, this.#createdAt)
    this.#lastCandidateAt = this.#createdAt
    this.#executions = new RuntimeExecutions({ clock, judged: deps.judged, keptUsual: deps.keptUsual })
    this.#evaluator = createOverrideEvaluator(this.#state.known)
    this.#reader = new FlagStoreReader(deps.store, clock, parseOverride)
    this.#loss = new RuntimeLoss(deps.logger, clock)
    this.#probe = deps.probe({
      onResult: () => this.#onProbe(),
      guardrails: () => this.#flags.guardrails,
    })
    this.#standby = deps.standby?.({ onChange: () => void this.#loop.nudge() })
    this.#loop = createLoop({
      clock,
      intervalMs: () => this.#flags.guardrails.tickMs,
      pauseMs: PAUSE_MS,
      run: () => this.#round().finally(() => this.#loss.roundEnded()),
      onError: (thrown) => this.#onError(thrown),
    })
  }

  async start(): Promise<void> {
    const { self } = this.#state
    this.#keepSample({ kind: 'start', self, now: this.#createdAt })
    this.#forgetFlags = this.deps.flags.onChange(() => void this.#loop.nudge())
    this.#probe.start()
    this.#standby?.start()
    await Promise.all([this.#loop.start(), this.#executions.load()])
  }

  async stop(): Promise<void> {
    this.#forgetFlags?.()
    await Promise.all([this.#loop.stop(), this.#probe.stop(), this.#standby?.stop()])
    this.#executions.keep('now')
    await releaseLease(this.deps, this.#state)
    await this.deps.store.close()
  }

  overrideFor(subject: Subject, provided: ProvidedOverride): CountingOverride {
    const isOwnOn = (): boolean => this.#evaluator(subject)
    const whose = overrideSource(this.#state, provided, subject, isOwnOn)
    switch (whose) {
      case 'isolated':
      case 'tripped':
        return { on: true, whose, ...this.#scopedFor(subject) }
      case 'provider':
        return { on: provided.on, whose, ...this.#scopedFor(subject) }
      case 'own':
        return { on: isOwnOn(), whose, ...this.#scopedFor(subject) }
    }
  }

  #scopedFor(subject: Subject): Pick<CountingOverride, 'scoped'> {
    const scope = judgedScope(this.#state)
    if (scope === undefined) return {}
    return { scoped: { dimension: scope.dimension, covered: covers(scope, subject) } }
  }

  turnDecided(
    decision: { readonly mode: ExecutionMode },
    modeWithoutOverride: ExecutionMode,
    subject: ScopeSubject,
  ): void {
    const now = this.deps.clock.monotonic()
    if (decision.mode === 'runtime_orchestrator') this.#lastRuntimeTurnAt = now
    if (modeWithoutOverride !== 'runtime_orchestrator') return
    this.#lastCandidateAt = now
    this.#scoped.turn(judgedScope(this.#state), subject, now)
  }

  record(outcome: Outcome): void {
    this.#sift(abandonedAsTimeout(outcome))
  }

  recordShadow(outcome: Outcome): void {
    this.#sift(outcome)
  }

  #sift(outcome: Outcome): void {
    const { sift } = this.deps
    if (sift === undefined) this.#judge(outcome)
    else sift(outcome, (evidence) => this.#judge(evidence))
  }

  #judge(outcome: Outcome): void {
    this.deps.fleet?.add(outcome)
    if (outcome.mode === 'direct_llm') {
      this.deps.judged.direct.record(outcome)
      if (outcome.result === 'ok') this.#standby?.answered()
      return
    }
    this.#executions.record(outcome, this.#flags.guardrails, this.#use)
  }

  /** An execution of another replica. */
  #judgeOthers(outcome: Outcome): void {
    if (outcome.mode === 'direct_llm') this.deps.judged.direct.record(outcome)
    else this.#executions.record(outcome, this.#flags.guardrails, this.#use)
  }

  /** What this replica sees by itself. */
  get #health(): HealthView {
    const now = this.deps.clock.monotonic()
    const lastAt = this.#lastRuntimeTurnAt
    const { failures } = this.#probed()
    return {
      sawTurn: lastAt !== undefined && now - lastAt <= SAW_TURN_MS,
      bad: failures >= this.#flags.guardrails.probeFailures,
    }
  }

  /** A verdict that no probe has confirmed for long is left out. */
  #probed(): Evidence['probe'] {
    const { probeIntervalMs, probeTimeoutMs, probeFailures } = this.#flags.guardrails
    const probe = this.#probe.state()
    const isOld = isOutdated(probe.agoMs, probeIntervalMs, probeTimeoutMs)
    return {
      failures: judgedFailures(isOld ? { ...probe, healthy: true } : probe, probeFailures),
      goodForMs: probe.goodForMs,
      healthy: !isOld && probe.healthy === true && probe.failuresInARow === 0,
    }
  }

  get #use(): Use {
    const { known, isolated, wouldTrip, bothSick } = this.#state
    const { state } = known.auto
    return {
      isInUse: state === 'normal' && !isolated,
      isUsual: state !== 'fallback' && !isolated && wouldTrip === null && !bothSick,
    }
  }

  maySpareShadow(subject: Subject): boolean {
    const { known, isolated } = this.#state
    if (this.#flags.policy === 'off') return false
    if (known.auto.state === 'normal' && !isolated) return false
    // Everybody else is on the runtime, and shows nothing of those in the scope.
    if (!covers(judgedScope(this.#state), subject)) return false
    // Who a person took off the runtime is left alone, silently too.
    if (known.manual.scope === 'none') return true
    return known.manual.scope === 'orgs' && !this.#isManual(subject)
  }

  get guardrails(): LoopGuardrails {
    return this.#flags.guardrails
  }

  trouble(): void {
    this.#probe.trouble()
  }

  requestSent(): void {
    this.#probe.requestSent()
  }

  headCame(): void {
    this.#probe.headCame()
  }

  snapshot(): FallbackSnapshot {
    const { guardrails, policy } = this.#flags
    return snapshotOf({
      state: this.#state,
      policy,
      leaseMs: leaseMs(guardrails),
      probe: this.#probe.state(),
      ...this.#instant(),
      ...(this.#loopFault === undefined ? {} : { loopFault: this.#loopFault }),
      others: this.deps.otherAlerts?.() ?? [],
    })
  }

  async command(command: Command): Promise<FallbackSnapshot> {
    const { guardrails } = this.#flags
    this.#advance({ kind: 'command', ...this.#instant(), command, guardrails })
    await bounded(this.#loop.nudge(), COMMAND_MS, this.deps.clock)
    return this.snapshot()
  }

  subscribe(listener: (event: FallbackEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  mayReturn(subject: Subject): boolean {
    const { healthy, failuresInARow } = this.#probe.state()
    if (healthy !== true || failuresInARow > 0) return false
    const { manual } = this.#state.known
    return manual.scope === 'none' || (manual.scope === 'orgs' && !this.#isManual(subject))
  }

  onRuntimeLost(listener: () => void): () => void {
    return this.#loss.listen(listener)
  }

  async #round(): Promise<void> {
    const before = this.#state
    const { flags, fleet } = this.deps
    const [said, news] = await Promise.all([flags.forService(), fleet?.exchange(this.#health)])
    this.#peers = news?.peers
    for (const outcome of news?.outcomes ?? []) this.#judgeOthers(outcome)
    if (said.guardrails.windowSeconds !== this.#flags.guardrails.windowSeconds)
      this.deps.windows.resize(said.guardrails.windowSeconds)
    this.#flags = said
    const override = said.override === undefined ? undefined : overrideOfMetadata(said.override.metadata)
    const provider = { ready: said.ready, ...(override === undefined ? {} : { override }) }
    // Once for all attempts: a breach that lost its race still holds.
    const evidence = this.#evidence(said.guardrails)
    let seen = await this.#reader.read()
    for (let attempt = 1; ; attempt += 1) {
      // What was read last is what a late read leaves to be written upon, other flags and all.
      if (seen.flag.kind !== 'failed') this.#text = seen.text
      const { guardrails, policy } = said
      const jitter = this.deps.random()
      const effects = this.#advance({
        kind: 'tick',
        ...this.#instant(),
        evidence,
        guardrails,
        policy,
        store: seen.flag,
        lease: seen.lease,
        provider,
        jitter,
      })
      const found = await this.#writeAll(effects)
      if (found === undefined) break
      if (attempt === MAX_ATTEMPTS) {
        void this.#loop.nudge()
        break
      }
      seen = this.#reader.found(found)
    }
    this.#loopFault = undefined
    this.#executions.keep()
    this.#tellAlerts()
    this.#emit({ kind: 'tick', changed: before !== this.#state })
  }

  /** Asks the machine; what it says for this process is done at once, what it says for the files is given back. */
  #advance(input: FallbackInput): readonly Effect[] {
    const step = next(this.#state, input)
    if (step.effects.length === 0 && isDeepStrictEqual(step.state, this.#state)) {
      this.#tellLost()
      return []
    }
    this.#take(step)
    this.#keepSample(input)
    for (const effect of step.effects) this.#apply(effect)
    return step.effects
  }

  #take({ state }: Step): void {
    const before = this.#state
    this.#state = state
    if (state.known !== before.known) this.#evaluator = createOverrideEvaluator(state.known)
    const { logger } = this.deps
    this.#tellLost()
    if (state.isolated && !before.isolated) isolationBegan(logger)
    if (!state.isolated && before.isolated) isolationOver(logger)
    if (state.wouldTrip === before.wouldTrip) return
    if (state.wouldTrip === null) wouldTripNoMore(logger)
    else wouldHaveTripped(logger, state.wouldTrip)
  }

  /** By this replica's own probes: what is dead for another one may be well here. */
  #tellLost(): void {
    const { auto } = this.#state.known
    // A scoped one is widened first: until then everybody else is not in a fallback.
    const isForAll = auto.state === 'fallback' && auto.scope === undefined
    this.#loss.set(isForAll && this.#probe.state().healthy === false)
  }

  #apply(effect: Effect): void {
    const { windows, journal, logger } = this.deps
    switch (effect.kind) {
      case 'restart_evidence':
        this.#executions.restart(effect.scope)
        return
      case 'reset_health':
        this.#probe.reset()
        this.#executions.forget()
        windows.clear('runtime_orchestrator')
        return
      case 'report':
        transitioned(logger, effect.transition)
        journal.keepTransition(effect.transition)
        this.deps.notify(effect.transition)
        this.#emit({ kind: 'transition', transition: effect.transition })
        return
      case 'adopted':
        adopted(logger, effect.transition)
        // Replicas that share the journal all see the change: it is kept once.
        journal.keepTransition({ ...effect.transition, adopted: true })
        this.#emit({ kind: 'transition', transition: effect.transition })
        return
      case 'write':
      case 'write_lease':
        return
    }
  }

  /** Writes what is to be written; where the override's race was lost, what is there now. */
  async #writeAll(effects: readonly Effect[]): Promise<Stored | undefined> {
    let found: Stored | undefined
    for (const effect of effects) {
      if (effect.kind === 'write') found = await this.#write(effect)
      else if (effect.kind === 'write_lease') await this.#writeLease(effect)
    }
    return found
  }

  async #write(effect: Effect & { kind: 'write' }): Promise<Stored | undefined> {
    const { override, expected, keepAside, version } = effect
    const text = renderOverride(override, this.#text)
    const result = await this.deps.store.write(text, expected, { keepAside })
    switch (result.kind) {
      case 'written':
        this.#text = text
        this.#advance({
          kind: 'written',
          ...this.#instant(),
          hash: result.hash,
          revision: override.revision,
          version,
          ...(result.aside === undefined ? {} : { aside: result.aside }),
          guardrails: this.#flags.guardrails,
        })
        return undefined
      case 'conflict':
        return result.stored
      case 'failed': {
        const jitter = this.deps.random()
        this.#advance({ kind: 'write_failed', ...this.#instant(), fault: result.fault, jitter })
        return undefined
      }
    }
  }

  async #writeLease({ lease }: Effect & { kind: 'write_lease' }): Promise<void> {
    const hash = await writeLease(this.deps, lease)
    if (hash === undefined) return
    this.#advance({ kind: 'lease_written', ...this.#instant(), hash, owner: lease.owner })
  }

  #evidence(guardrails: LoopGuardrails): Evidence {
    const { judged, clock } = this.deps
    const now = clock.monotonic()
    const runtime = this.#executions.windows(guardrails, this.#use)
    const scope = judgedScope(this.#state)
    return {
      at: now,
      runtime,
      ...evidenceByScope(judged.log, scope, runtime, this.#scoped.forMs(scope, now), guardrails),
      direct: judged.direct.tally(DIRECT_WINDOW_MS),
      ...(this.#standby === undefined ? {} : { standby: this.#standby.state() }),
      probe: this.#probed(),
      ...(this.#peers === undefined ? {} : { peers: this.#peers }),
      runtimeTurnAgoMs: this.#lastRuntimeTurnAt === undefined ? null : now - this.#lastRuntimeTurnAt,
      quietForMs: now - this.#lastCandidateAt,
    }
  }

  /** The failure that completes a burst ticks at once. */
  #onProbe(): void {
    const isUnhealthy = this.#probe.state().healthy === false
    if (isUnhealthy !== this.#wasUnhealthy) this.#keepSample({ kind: 'probe', healthy: !isUnhealthy })
    if (isUnhealthy && !this.#wasUnhealthy) void this.#loop.nudge()
    this.#wasUnhealthy = isUnhealthy
  }

  #onError(thrown: unknown): void {
    const fault = errorText(thrown)
    if (fault !== this.#loopFault) roundFailed(this.deps.logger, fault)
    this.#loopFault = fault
  }

  /** Told when it was there in two rounds running: a read that was late once is nobody's trouble. */
  #tellAlerts(): void {
    const { alerts } = this.snapshot()
    const { logger } = this.deps
    const told = this.#alerts.told.filter(({ kind }) => alerts.some((alert) => alert.kind === kind))
    for (const alert of this.#alerts.told) if (!told.includes(alert)) alertOver(logger, alert)
    for (const alert of alerts) {
      const isLasting = this.#alerts.present.some(({ kind }) => kind === alert.kind)
      if (!isLasting || told.some(({ kind }) => kind === alert.kind)) continue
      alertRaised(logger, alert)
      told.push(alert)
    }
    this.#alerts = { present: alerts, told }
  }

  #emit(event: FallbackEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event)
      } catch (thrown) {
        roundFailed(this.deps.logger, errorText(thrown))
      }
    }
  }

  /** Retention takes the oldest samples of a long run away: a replay can begin at any checkpoint. */
  #keepSample(input: unknown): void {
    this.#keepOne(input)
    if (this.#seq % CHECKPOINT_EVERY === 0) this.#keepOne({ kind: 'checkpoint', state: this.#state })
  }

  #keepOne(input: unknown): void {
    const { journal, clock, replica } = this.deps
    journal.keepSample({ at: clock.wall(), replica, run: this.#owner, seq: this.#seq, input })
    this.#seq += 1
  }

  #isManual(subject: Subject): boolean {
    const { known } = this.#state
    if (known.auto.state === 'normal') return this.#evaluator(subject)
    return createOverrideEvaluator({ ...known, auto: { state: 'normal' } })(subject)
  }

  #instant(): { now: number; wall: number } {
    return { now: this.deps.clock.monotonic(), wall: this.deps.clock.wall() }
  }
}
