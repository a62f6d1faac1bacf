import { isDeepStrictEqual } from 'node:util'
import { bounded } from '../core/bounded.js'
import { errorText } from '../core/errors.js'
import { createLoop } from '../core/loop.js'
import type { Outcome } from '../execution/outcome.js'
import type { ScopeSubject } from '../protocol/fallback-scope.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { Stored } from '../store/flag-store.js'
import {
  overrideOfMetadata,
  type ParsedOverride,
  parseOverride,
} from '../store/override/override-document.js'
import { renderOverride } from '../store/override/override-rendering.js'
import type {
  Command,
  CountingOverride,
  FallbackEvent,
  FallbackSnapshot,
  ProvidedOverride,
  Subject,
} from './fallback.js'
import { abandonedAsTimeout } from './loop/abandoned-as-timeout.js'
import { AlertLog } from './loop/alert-log.js'
import { CallerRules } from './loop/caller-rules.js'
import { EvidenceSources } from './loop/evidence-sources.js'
import {
  adopted,
  isolationBegan,
  isolationOver,
  roundFailed,
  transitioned,
  wouldHaveTripped,
  wouldTripNoMore,
} from './loop/fallback-log.js'
import { releaseLease, writeLease } from './loop/lease-file.js'
import type { FallbackDeps, LoopFlags, LoopGuardrails, RunningFallback } from './loop/running-fallback.js'
import { RuntimeLoss } from './loop/runtime-loss.js'
import { SampleLog } from './loop/sample-log.js'
import { snapshotOf } from './loop/snapshot.js'
import { FlagStoreReader } from './loop/store-reader.js'
import { leaseMs } from './machine/lease.js'
import { next } from './machine/machine.js'
import {
  type Effect,
  type FallbackInput,
  type FallbackState,
  initialState,
  type Step,
} from './machine/state.js'
import type { HealthProbe } from './probe/probe.js'
import type { StandbyWatch } from './probe/standby-watch.js'

/** ms between rounds that were asked for: a burst of flag changes is one round */
const PAUSE_MS = 20
/** on what a lost race left, within one round; the lock itself has them wait by chance. The next round follows at once */
const MAX_ATTEMPTS = 5
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
  readonly #evidence: EvidenceSources
  readonly #callers: CallerRules
  #loopFault: string | undefined
  /** by the probes, when they told last */
  #wasUnhealthy = false
  readonly #alerts: AlertLog
  readonly #samples: SampleLog
  /** the state's first instant: a replay begins there */
  readonly #createdAt: number
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
    const owner = `${replica}#${nonce}`
    this.#createdAt = clock.monotonic()
    this.#state = initialState({ replica, owner }, this.#createdAt)
    this.#samples = new SampleLog(deps, owner)
    this.#callers = new CallerRules(this.#state)
    this.#reader = new FlagStoreReader(deps.store, clock, parseOverride)
    this.#alerts = new AlertLog(deps.logger)
    this.#loss = new RuntimeLoss(deps.logger, clock)
    this.#probe = deps.probe({
      onResult: () => this.#onProbe(),
      guardrails: () => this.#flags.guardrails,
    })
    this.#standby = deps.standby?.({ onChange: () => void this.#loop.nudge() })
    this.#evidence = new EvidenceSources(deps, {
      since: this.#createdAt,
      probe: this.#probe,
      standby: this.#standby,
      state: () => this.#state,
      guardrails: () => this.#flags.guardrails,
    })
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
    this.#samples.keep({ kind: 'start', self, now: this.#createdAt }, this.#state)
    this.#forgetFlags = this.deps.flags.onChange(() => void this.#loop.nudge())
    this.#probe.start()
    this.#standby?.start()
    await Promise.all([this.#loop.start(), this.#evidence.load()])
  }

  async stop(): Promise<void> {
    this.#forgetFlags?.()
    await Promise.all([this.#loop.stop(), this.#probe.stop(), this.#standby?.stop()])
    this.#evidence.keep('now')
    await releaseLease(this.deps, this.#state)
    await this.deps.store.close()
  }

  overrideFor(subject: Subject, provided: ProvidedOverride): CountingOverride {
    return this.#callers.overrideFor(subject, provided)
  }

  turnDecided(
    decision: { readonly mode: ExecutionMode },
    modeWithoutOverride: ExecutionMode,
    subject: ScopeSubject,
  ): void {
    this.#evidence.turnDecided(decision.mode, modeWithoutOverride, subject)
  }

  record(outcome: Outcome): void {
    this.#evidence.record(abandonedAsTimeout(outcome))
  }

  recordShadow(outcome: Outcome): void {
    this.#evidence.record(outcome)
  }

  maySpareShadow(subject: Subject): boolean {
    return this.#flags.policy !== 'off' && this.#callers.maySpareShadow(subject)
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
    return healthy === true && failuresInARow === 0 && this.#callers.mayReturn(subject)
  }

  onRuntimeLost(listener: () => void): () => void {
    return this.#loss.listen(listener)
  }

  async #round(): Promise<void> {
    const before = this.#state
    const [said, news] = await Promise.all([this.deps.flags.forService(), this.#evidence.exchange()])
    this.#evidence.takeNews(news)
    if (said.guardrails.windowSeconds !== this.#flags.guardrails.windowSeconds)
      this.deps.windows.resize(said.guardrails.windowSeconds)
    this.#flags = said
    const override = said.override === undefined ? undefined : overrideOfMetadata(said.override.metadata)
    const provider = { ready: said.ready, ...(override === undefined ? {} : { override }) }
    // Once for all attempts: a breach that lost its race still holds.
    const evidence = this.#evidence.read(said.guardrails)
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
    this.#evidence.keep()
    this.#alerts.roundEnded(this.snapshot().alerts)
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
    this.#samples.keep(input, this.#state)
    for (const effect of step.effects) this.#apply(effect)
    return step.effects
  }

  #take({ state }: Step): void {
    const before = this.#state
    this.#state = state
    this.#callers.take(state)
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
        this.#evidence.restart(effect.scope)
        return
      case 'reset_health':
        this.#probe.reset()
        this.#evidence.forget()
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

  /** The failure that completes a burst ticks at once. */
  #onProbe(): void {
    const isUnhealthy = this.#probe.state().healthy === false
    if (isUnhealthy !== this.#wasUnhealthy)
      this.#samples.keep({ kind: 'probe', healthy: !isUnhealthy }, this.#state)
    if (isUnhealthy && !this.#wasUnhealthy) void this.#loop.nudge()
    this.#wasUnhealthy = isUnhealthy
  }

  #onError(thrown: unknown): void {
    const fault = errorText(thrown)
    if (fault !== this.#loopFault) roundFailed(this.deps.logger, fault)
    this.#loopFault = fault
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

  #instant(): { now: number; wall: number } {
    return { now: this.deps.clock.monotonic(), wall: this.deps.clock.wall() }
  }
}
