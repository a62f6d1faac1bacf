import { isDeepStrictEqual } from 'node:util'
import { bounded } from '../core/bounded.js'
import type { Clock } from '../core/clock.js'
import { errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { createLoop } from '../core/loop.js'
import type { Outcome } from '../execution/outcome.js'
import type { FallbackGuardrails } from '../fallback/evidence/evidence.js'
import { runtimeWindows } from '../fallback/evidence/runtime-executions.js'
import type { FallbackSnapshot } from '../fallback/fallback.js'
import { abandonedAsTimeout } from '../fallback/loop/abandoned-as-timeout.js'
import { releaseLease, writeLease } from '../fallback/loop/lease-file.js'
import { FlagStoreReader } from '../fallback/loop/store-reader.js'
import { leaseMs } from '../fallback/machine/lease.js'
import type { JudgedWindow } from '../metrics/windows/windows.js'
import type { RolloutChangeRecord, StageEvidence } from '../protocol/rollout.js'
import type { FlagStore, Stored } from '../store/flag-store.js'
import {
  createRolloutEvaluator,
  type ParsedRollout,
  parseRollout,
  renderRollout,
} from '../store/rollout/rollout-document.js'
import { rolloutAdopted, rolloutChanged, rolloutRoundFailed } from './loop/rollout-log.js'
import { rolloutSnapshotOf } from './loop/snapshot.js'
import { next } from './machine/machine.js'
import {
  type Hold,
  initialRolloutState,
  type RolloutEffect,
  type RolloutInput,
  type RolloutState,
} from './machine/state.js'
import type {
  CountingRollout,
  GuardedRollout,
  OpsMode,
  ProvidedRollout,
  RolloutCommand,
  RolloutEvent,
  RolloutSnapshot,
  Subject,
} from './rollout.js'
import { judgeStage, type StageVerdict } from './stage-verdict.js'

/** What the flags say to the loop, each time it asks. */
export interface RolloutFlags {
  readonly modeForAll: OpsMode
  readonly rolloutRevision?: number
}

export interface RolloutDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly replica: string
  /** of this start of this process */
  readonly nonce: string
  /** 0 to 1 */
  random(): number
  readonly flags: {
    forService(): Promise<RolloutFlags>
    onChange(listener: (keys: readonly string[]) => void): () => void
  }
  /** the override's file, with a lease of the rollout's own */
  readonly store: FlagStore
  readonly fallback: {
    readonly guardrails: FallbackGuardrails
    snapshot(): Pick<FallbackSnapshot, 'override' | 'isolated' | 'probe' | 'alerts'>
  }
  /** of the executions that the rollout gave to the runtime */
  readonly judged: JudgedWindow
  /** Hands on what is evidence, and keeps back faults of our own machine; absent: everything is evidence. */
  sift?(outcome: Outcome, record: (outcome: Outcome) => void): void
  /** Neither throws nor waits. */
  keep(change: RolloutChangeRecord): void
  notify(change: RolloutChangeRecord): void
}

/** The rollout with its loop. */
export interface RunningRollout extends GuardedRollout {
  /** Ends after the first round; never rejects. */
  start(): Promise<void>
  /** Ends the loop and lets the lease go. */
  stop(): Promise<void>
}

/** ms between rounds that were asked for */
const PAUSE_MS = 20
/** on what a lost race left, within one round */
const MAX_ATTEMPTS = 5
/** ms a command waits for the store */
const COMMAND_MS = 2000
/** ms of executions that a stage is judged by at most, its newest: a week, the longest time a stage may have */
const STAGE_MS = 7 * 86_400_000

/**
 * The loop around the machine of the rollout: gathers what is known once a tick, asks, and does what it says. One round at a
 * time; it survives its own errors.
 */
export function createRollout(deps: RolloutDeps): RunningRollout {
  return new RolloutLoop(deps)
}

class RolloutLoop implements RunningRollout {
  #state: RolloutState
  #evaluator: ReturnType<typeof createRolloutEvaluator>
  #opsMode: OpsMode = 'unknown'
  #text: string | undefined
  #loopFault: string | undefined
  readonly #reader: FlagStoreReader<ParsedRollout>
  readonly #loop: ReturnType<typeof createLoop>
  readonly #listeners = new Set<(event: RolloutEvent) => void>()
  #forgetFlags: (() => void) | undefined

  constructor(private readonly deps: RolloutDeps) {
    const { clock, replica, nonce, fallback } = deps
    this.#state = initialRolloutState({ replica, owner: `${replica}#${nonce}` }, clock.monotonic())
    this.#evaluator = createRolloutEvaluator(this.#state.force)
    this.#reader = new FlagStoreReader(deps.store, clock, parseRollout)
    this.#loop = createLoop({
      clock,
      intervalMs: () => fallback.guardrails.tickMs,
      pauseMs: PAUSE_MS,
      run: () => this.#round(),
      onError: (thrown) => this.#onError(thrown),
    })
  }

  async start(): Promise<void> {
    this.#forgetFlags = this.deps.flags.onChange(() => void this.#loop.nudge())
    await this.#loop.start()
  }

  async stop(): Promise<void> {
    this.#forgetFlags?.()
    await this.#loop.stop()
    await releaseLease(this.deps, this.#state)
    await this.deps.store.close()
  }

  shareFor(subject: Subject, { on, revision = 0, isGuess }: ProvidedRollout): CountingRollout {
    const { force, starting } = this.#state
    const isOwn =
      !starting && (force.revision > revision || (isGuess === true && force.revision === revision))
    return isOwn ? { on: this.#evaluator(subject), whose: 'own' } : { on, whose: 'provider' }
  }

  record(outcome: Outcome): void {
    if (outcome.mode !== 'runtime_orchestrator') return
    const { sift, judged } = this.deps
    const seen = abandonedAsTimeout(outcome)
    if (sift === undefined) judged.record(seen)
    else sift(seen, (evidence) => judged.record(evidence))
  }

  snapshot(): RolloutSnapshot {
    return rolloutSnapshotOf({
      state: this.#state,
      opsMode: this.#opsMode,
      evidence: this.#evidence(),
      leaseMs: leaseMs(this.deps.fallback.guardrails),
      now: this.deps.clock.monotonic(),
      ...(this.#loopFault === undefined ? {} : { loopFault: this.#loopFault }),
    })
  }

  async command(command: RolloutCommand): Promise<RolloutSnapshot> {
    this.#advance({ kind: 'command', ...this.#instant(), command, opsMode: this.#opsMode })
    await bounded(this.#loop.nudge(), COMMAND_MS, this.deps.clock)
    return this.snapshot()
  }

  subscribe(listener: (event: RolloutEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async #round(): Promise<void> {
    const before = this.#state
    const { modeForAll, rolloutRevision: provided = 0 } = await this.deps.flags.forService()
    this.#opsMode = modeForAll
    let seen = await this.#reader.read()
    for (let attempt = 1; ; attempt += 1) {
      if (seen.flag.kind !== 'failed') this.#text = seen.text
      const { guardrails } = this.deps.fallback
      const { probe } = this.deps.fallback.snapshot()
      const effects = this.#advance({
        kind: 'tick',
        ...this.#instant(),
        store: seen.flag,
        lease: seen.lease,
        provided,
        verdict: this.#verdict(),
        evidence: this.#evidence(),
        hold: this.#hold(),
        probeHealthy: probe.healthy === true && probe.failures === 0,
        opsMode: modeForAll,
        leaseMs: leaseMs(guardrails),
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
    this.#emit({ kind: 'tick', changed: before !== this.#state })
  }

  /** Any automatic fallback, and a manual one of all; one of some orgs takes only these away. */
  #hold(): Hold | null {
    const { override, isolated, alerts } = this.deps.fallback.snapshot()
    if (isolated || override.auto.state !== 'normal' || override.manual.scope === 'all') return 'fallback'
    return alerts.some(({ kind }) => kind === 'both_sick' || kind === 'standby_sick') ? 'both_fail' : null
  }

  #verdict(): StageVerdict {
    const { judged, fallback } = this.deps
    const { guardrails } = fallback
    const reach = { slowMs: STAGE_MS, recentMs: STAGE_MS }
    return judgeStage(runtimeWindows(judged, guardrails, reach), guardrails)
  }

  #evidence(): StageEvidence {
    const { total, errors, timeouts, latencySumMs } = this.deps.judged.tally(STAGE_MS)
    return { total, errors, timeouts, avgLatencyMs: total === 0 ? 0 : Math.round(latencySumMs / total) }
  }

  /** Asks the machine; what it says for this process is done at once, what it says for the files is given back. */
  #advance(input: RolloutInput): readonly RolloutEffect[] {
    const before = this.#state
    const { state, effects } = next(before, input)
    if (effects.length === 0 && isDeepStrictEqual(state, before)) return []
    this.#state = state
    if (state.force !== before.force) this.#evaluator = createRolloutEvaluator(state.force)
    for (const effect of effects) this.#apply(effect)
    return effects
  }

  #apply(effect: RolloutEffect): void {
    const { clock, judged, logger } = this.deps
    switch (effect.kind) {
      case 'restart_evidence':
        judged.restart(clock.monotonic())
        return
      case 'report':
        rolloutChanged(logger, effect.change)
        this.deps.keep(effect.change)
        this.deps.notify(effect.change)
        this.#emit({ kind: 'change', change: effect.change })
        return
      case 'adopted':
        rolloutAdopted(logger, effect.change)
        this.#emit({ kind: 'change', change: effect.change })
        return
      case 'write':
      case 'write_lease':
        return
    }
  }

  /** Writes what is to be written; where the race was lost, what is there now. */
  async #writeAll(effects: readonly RolloutEffect[]): Promise<Stored | undefined> {
    let found: Stored | undefined
    for (const effect of effects)
      if (effect.kind === 'write') found = await this.#write(effect)
      else if (effect.kind === 'write_lease') await this.#writeLease(effect)
    return found
  }

  async #write({
    rollout,
    version,
    expected,
  }: RolloutEffect & { kind: 'write' }): Promise<Stored | undefined> {
    const base = this.#text
    if (base === undefined) return undefined
    const text = renderRollout(rollout, base)
    const result = await this.deps.store.write(text, expected)
    switch (result.kind) {
      case 'written':
        this.#text = text
        this.#advance({ kind: 'written', ...this.#instant(), hash: result.hash, rollout, version })
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

  async #writeLease({ lease }: RolloutEffect & { kind: 'write_lease' }): Promise<void> {
    const hash = await writeLease(this.deps, lease)
    if (hash === undefined) return
    this.#advance({ kind: 'lease_written', ...this.#instant(), hash, owner: lease.owner })
  }

  #onError(thrown: unknown): void {
    const fault = errorText(thrown)
    if (fault !== this.#loopFault) rolloutRoundFailed(this.deps.logger, fault)
    this.#loopFault = fault
  }

  #emit(event: RolloutEvent): void {
    for (const listener of this.#listeners)
      try {
        listener(event)
      } catch (thrown) {
        rolloutRoundFailed(this.deps.logger, errorText(thrown))
      }
  }

  #instant(): { now: number; wall: number } {
    return { now: this.deps.clock.monotonic(), wall: this.deps.clock.wall() }
  }
}
