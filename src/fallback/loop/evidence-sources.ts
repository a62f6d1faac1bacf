import type { Outcome } from '../../execution/outcome.js'
import type { Scope, ScopeSubject } from '../../protocol/fallback-scope.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import type { Evidence } from '../evidence/evidence.js'
import { evidenceByScope } from '../evidence/evidence-by-scope.js'
import type { HealthView, Peers } from '../evidence/health-quorum.js'
import { RuntimeExecutions, type Use } from '../evidence/runtime-executions.js'
import type { FleetNews } from '../fleet/fleet-evidence.js'
import { type FallbackState, judgedScope } from '../machine/state.js'
import type { HealthProbe } from '../probe/probe.js'
import { isOutdated, judgedFailures } from '../probe/probe-counts.js'
import type { StandbyWatch } from '../probe/standby-watch.js'
import type { FallbackDeps, LoopGuardrails } from './running-fallback.js'
import { ScopeIdleTime } from './scope-idle-time.js'

/** ms: the direct LLM is judged over its newest minute (rule: as unhealthy?) */
const DIRECT_WINDOW_MS = 60_000
/** ms after a turn for the runtime in which its replica has a say on the runtime's health */
const SAW_TURN_MS = 60_000

export type EvidenceDeps = Pick<FallbackDeps, 'clock' | 'judged' | 'keptUsual' | 'fleet' | 'sift'>

export interface EvidenceContext {
  /** monotonic ms: the start of this process */
  readonly since: number
  readonly probe: HealthProbe
  readonly standby: StandbyWatch | undefined
  state(): FallbackState
  guardrails(): LoopGuardrails
}

/** Takes in what happens between two ticks: turns, executions, probes, other replicas. Each tick reads it as evidence. */
export class EvidenceSources {
  readonly #executions: RuntimeExecutions
  readonly #scoped = new ScopeIdleTime()
  #lastRuntimeTurnAt: number | undefined
  #lastCandidateAt: number
  #peers: Peers | undefined

  constructor(
    private readonly deps: EvidenceDeps,
    private readonly context: EvidenceContext,
  ) {
    const { clock, judged, keptUsual } = deps
    this.#executions = new RuntimeExecutions({ clock, judged, keptUsual })
    this.#lastCandidateAt = context.since
  }

  /** What an earlier process kept. */
  load(): Promise<void> {
    return this.#executions.load()
  }

  keep(now?: 'now'): void {
    this.#executions.keep(now)
  }

  /** A state ended: what was judged in it counts no more. */
  restart(scope: Scope | undefined): void {
    this.#executions.restart(scope)
  }

  /** What was usual until now counts no more. */
  forget(): void {
    this.#executions.forget()
  }

  turnDecided(mode: ExecutionMode, modeWithoutOverride: ExecutionMode, subject: ScopeSubject): void {
    const now = this.deps.clock.monotonic()
    if (mode === 'runtime_orchestrator') this.#lastRuntimeTurnAt = now
    if (modeWithoutOverride !== 'runtime_orchestrator') return
    this.#lastCandidateAt = now
    this.#scoped.turn(judgedScope(this.context.state()), subject, now)
  }

  /** An execution of this replica. */
  record(outcome: Outcome): void {
    const { sift } = this.deps
    if (sift === undefined) this.#judge(outcome)
    else sift(outcome, (evidence) => this.#judge(evidence))
  }

  /** Tells other replicas what this one saw, and asks what they saw. */
  exchange(): Promise<FleetNews> | undefined {
    return this.deps.fleet?.exchange(this.#health)
  }

  takeNews(news: FleetNews | undefined): void {
    this.#peers = news?.peers
    for (const outcome of news?.outcomes ?? []) this.#count(outcome)
  }

  /** As it is now, by these guardrails. */
  read(guardrails: LoopGuardrails): Evidence {
    const { judged, clock } = this.deps
    const { standby } = this.context
    const now = clock.monotonic()
    const runtime = this.#executions.windows(guardrails, this.#use)
    const scope = judgedScope(this.context.state())
    return {
      at: now,
      runtime,
      ...evidenceByScope(judged.log, scope, runtime, this.#scoped.forMs(scope, now), guardrails),
      direct: judged.direct.tally(DIRECT_WINDOW_MS),
      ...(standby === undefined ? {} : { standby: standby.state() }),
      probe: this.#probed,
      ...(this.#peers === undefined ? {} : { peers: this.#peers }),
      runtimeTurnAgoMs: this.#lastRuntimeTurnAt === undefined ? null : now - this.#lastRuntimeTurnAt,
      quietForMs: now - this.#lastCandidateAt,
    }
  }

  #judge(outcome: Outcome): void {
    this.deps.fleet?.add(outcome)
    this.#count(outcome)
    if (outcome.mode === 'direct_llm' && outcome.result === 'ok') this.context.standby?.answered()
  }

  /** An execution of any replica. */
  #count(outcome: Outcome): void {
    if (outcome.mode === 'direct_llm') this.deps.judged.direct.record(outcome)
    else this.#executions.record(outcome, this.context.guardrails(), this.#use)
  }

  /** What this replica sees by itself. */
  get #health(): HealthView {
    const now = this.deps.clock.monotonic()
    const lastAt = this.#lastRuntimeTurnAt
    return {
      sawTurn: lastAt !== undefined && now - lastAt <= SAW_TURN_MS,
      bad: this.#probed.failures >= this.context.guardrails().probeFailures,
    }
  }

  /** A verdict that no probe has confirmed for long is left out. */
  get #probed(): Evidence['probe'] {
    const { probeIntervalMs, probeTimeoutMs, probeFailures } = this.context.guardrails()
    const probe = this.context.probe.state()
    const isOld = isOutdated(probe.agoMs, probeIntervalMs, probeTimeoutMs)
    return {
      failures: judgedFailures(isOld ? { ...probe, healthy: true } : probe, probeFailures),
      goodForMs: probe.goodForMs,
      healthy: !isOld && probe.healthy === true && probe.failuresInARow === 0,
    }
  }

  get #use(): Use {
    const { known, isolated, wouldTrip, bothSick } = this.context.state()
    const { state } = known.auto
    return {
      isInUse: state === 'normal' && !isolated,
      isUsual: state !== 'fallback' && !isolated && wouldTrip === null && !bothSick,
    }
  }
}
