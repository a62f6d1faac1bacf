import { Counter, Gauge } from 'prom-client'
import type { FlagsStatus } from '../decision/flags.js'
import type { Outcome } from '../execution/outcome.js'
import type { FallbackSnapshot } from '../fallback/fallback.js'
import type { Transition } from '../journal/journal.js'
import type { RefusalReason } from '../limits/refusal.js'
import type { Failover } from '../protocol/events.js'
import { TRANSITION_KINDS } from '../protocol/fallback.js'
import type { Decision } from '../protocol/modes.js'
import { ROLLOUT_CHANGE_KINDS, type RolloutChangeKind } from '../protocol/rollout.js'
import type { RolloutSnapshot } from '../rollout/rollout.js'
import { childCache } from './child-cache.js'
import { createRegistry, expositionOf, type MetricsFormat, type MetricsRegistry } from './exposition.js'
import { type LoopLag, registerProcess } from './loop-lag.js'
import { outcomeRecorder } from './prometheus-executions.js'
import { registerFallback } from './prometheus-fallback.js'
import { refusalRecorder, registerOverload } from './prometheus-limits.js'
import { type LlmFigures, registerLlm } from './prometheus-llm.js'
import { registerRollout } from './prometheus-rollout.js'
import { registerShadows, type ShadowFigures } from './prometheus-shadows.js'
import { type EndedTurn, requestRecorder, turnRecorder } from './prometheus-turns.js'
import type { Exemplar } from './times-by-mode.js'

export interface ServiceMetricsOptions {
  /** value of `chat_replica_info`; elsewhere Prometheus' own `instance` tells the replicas apart */
  readonly replica: string
  /** label `worker` of every sample, where several workers are scraped as one; absent: no such label */
  readonly worker?: number
  /** asked at each exposition; absent: no `chat_flags_state` */
  readonly flagsStatus?: () => FlagsStatus
  /** decisions by the code default, by flag, also those with none; asked at each exposition; absent: no `chat_code_default_decisions_total` */
  readonly codeDefaults?: () => ReadonlyMap<string, number>
  /** asked at each exposition; absent: no `chat_fallback_*` and `chat_override_*` */
  readonly fallback?: () => FallbackSnapshot
  /** asked at each exposition; absent: no `chat_rollout_*` */
  readonly rollout?: () => RolloutSnapshot
  /** asked at each exposition; absent: no `chat_shadow_*` */
  readonly shadows?: () => ShadowFigures
  /** whether the database takes what is written; asked at each exposition; absent: no `chat_store_available` */
  readonly storeAvailable?: () => boolean
  /** whether Redis answers; asked at each exposition; absent: no `chat_redis_up` */
  readonly redisUp?: () => boolean
  /** asked at each exposition; absent: no `chat_llm_*` */
  readonly llm?: () => LlmFigures
  /** 0 to 4; asked at each exposition; absent: no `chat_overload_level` */
  readonly overloadLevel?: () => number
  /** counts that others keep, by their metric's name; asked at each exposition */
  readonly counts?: () => Readonly<Record<CountName, number>>
  /** the sampled trace in which something is measured now; default: none is told */
  readonly exemplar?: () => Exemplar | undefined
  /** CPU, memory, garbage collection and event-loop lag of the process; default true */
  readonly processMetrics?: boolean
  /** what measures the event-loop lag; default: prom-client does, and wakes the process 100 times a second for it */
  readonly loopLag?: LoopLag
}

/**
 * What the service tells Prometheus. Recording takes about a microsecond, never throws and never waits.
 * No label names an org, a user or a session: their number has no bound.
 */
export interface ServiceMetrics {
  /** one execution; an aborted one counts in `chat_executions_total` alone, for its times say nothing */
  recordOutcome(outcome: Outcome): void
  recordDecision(decision: Decision): void
  recordFailover(failover: Failover): void
  /** one turn at its end, as its user saw it */
  recordTurn(turn: EndedTurn): void
  /** one turn or reader that was refused for a limit */
  recordRefusal(reason: RefusalReason): void
  /** one answered HTTP request */
  recordRequest(route: string, code: number): void
  recordTransition(transition: Pick<Transition, 'kind'>): void
  recordRolloutChange(kind: RolloutChangeKind): void
  streamOpened(): void
  streamClosed(): void
  /** @param format default: Prometheus' text format; only OpenMetrics has room for exemplars */
  exposition(format?: MetricsFormat): Promise<{ readonly contentType: string; readonly body: string }>
}

const FLAGS_STATES: readonly FlagsStatus['state'][] = ['starting', 'ready', 'stale', 'unavailable']

export function createServiceMetrics(options: ServiceMetricsOptions): ServiceMetrics {
  const registry = createRegistry()
  if (options.worker !== undefined) registry.setDefaultLabels({ worker: String(options.worker) })
  const exemplar = options.exemplar ?? (() => undefined)
  if (options.processMetrics !== false) registerProcess(registry, options.loopLag)
  registerReplica(registry, options.replica)
  if (options.flagsStatus !== undefined) registerFlagsState(registry, options.flagsStatus)
  if (options.codeDefaults !== undefined) registerCodeDefaults(registry, options.codeDefaults)
  if (options.fallback !== undefined) registerFallback(registry, options.fallback)
  if (options.rollout !== undefined) registerRollout(registry, options.rollout)
  if (options.shadows !== undefined) registerShadows(registry, options.shadows)
  if (options.storeAvailable !== undefined) registerStore(registry, options.storeAvailable)
  if (options.redisUp !== undefined) registerRedis(registry, options.redisUp)
  if (options.llm !== undefined) registerLlm(registry, options.llm)
  if (options.overloadLevel !== undefined) registerOverload(registry, options.overloadLevel)
  if (options.counts !== undefined) registerCounts(registry, options.counts)
  const openStreams = new Gauge({
    name: 'chat_open_streams',
    help: 'SSE streams with a reader',
    registers: [registry],
  })
  return {
    recordOutcome: outcomeRecorder(registry, exemplar),
    recordDecision: decisionRecorder(registry),
    recordFailover: failoverRecorder(registry),
    recordTurn: turnRecorder(registry, exemplar),
    recordRefusal: refusalRecorder(registry),
    recordRequest: requestRecorder(registry),
    recordTransition: transitionRecorder(registry),
    recordRolloutChange: rolloutChangeRecorder(registry),
    streamOpened: () => openStreams.inc(),
    streamClosed: () => openStreams.dec(),
    exposition: (format = 'prometheus') => expositionOf(registry, format),
  }
}

function registerReplica(registry: MetricsRegistry, replica: string): void {
  new Gauge({
    name: 'chat_replica_info',
    help: 'The process that is scraped',
    labelNames: ['replica'],
    registers: [registry],
  }).set({ replica }, 1)
}

function registerRedis(registry: MetricsRegistry, redisUp: () => boolean): void {
  new Gauge({
    name: 'chat_redis_up',
    help: '1 while Redis answers',
    registers: [registry],
    collect() {
      this.set(redisUp() ? 1 : 0)
    },
  })
}

function registerStore(registry: MetricsRegistry, storeAvailable: () => boolean): void {
  new Gauge({
    name: 'chat_store_available',
    help: '1 while the database takes what is written; 0 while turns run without it and wait in memory',
    registers: [registry],
    collect() {
      this.set(storeAvailable() ? 1 : 0)
    },
  })
}

/** One series a state, 1 for the present one: an alert names the state instead of knowing numbers. */
function registerFlagsState(registry: MetricsRegistry, flagsStatus: () => FlagsStatus): void {
  new Gauge({
    name: 'chat_flags_state',
    help: 'State of the flags; 1 for the present one',
    labelNames: ['state'],
    registers: [registry],
    collect() {
      const present = flagsStatus().state
      for (const state of FLAGS_STATES) this.set({ state }, state === present ? 1 : 0)
    },
  })
}

function registerCodeDefaults(
  registry: MetricsRegistry,
  codeDefaults: () => ReadonlyMap<string, number>,
): void {
  new Counter({
    name: 'chat_code_default_decisions_total',
    help: 'Decisions by the code default because nothing was known of the flag',
    labelNames: ['flag'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [flag, count] of codeDefaults()) this.labels(flag).inc(count)
    },
  })
}

function decisionRecorder(registry: MetricsRegistry): ServiceMetrics['recordDecision'] {
  const decisions = new Counter({
    name: 'chat_decisions_total',
    help: 'Turns by what the flags decided and why',
    labelNames: ['mode', 'reason', 'shadow'],
    registers: [registry],
  })
  const decisionsOf = childCache((mode, reason, shadow) => decisions.labels(mode, reason, shadow))
  return ({ mode, reason, shadow }) => decisionsOf(mode, reason, shadow ? 'true' : 'false').inc()
}

function failoverRecorder(registry: MetricsRegistry): ServiceMetrics['recordFailover'] {
  const failovers = new Counter({
    name: 'chat_failovers_total',
    help: 'Turns that went to the other backend because theirs failed before the commit point; causes of the direct LLM begin with llm_',
    labelNames: ['cause', 'phase'],
    registers: [registry],
  })
  return ({ cause, phase }) => failovers.labels(cause, phase).inc()
}

function transitionRecorder(registry: MetricsRegistry): ServiceMetrics['recordTransition'] {
  const transitions = new Counter({
    name: 'chat_fallback_transitions_total',
    help: 'Changes of the override by this replica',
    labelNames: ['kind'],
    registers: [registry],
  })
  // Known from the first scrape on: an alert on the first trip needs the zero before it.
  for (const kind of TRANSITION_KINDS) transitions.labels(kind).inc(0)
  return ({ kind }) => transitions.labels(kind ?? 'adopted').inc()
}

/** What others count, as counters of ours. */
const COUNTS = {
  chat_window_orgs_dropped_total: 'Orgs dropped from the windows because there were too many',
  chat_turns_lost_total: 'Turns that memory could not hold until the database took them',
  chat_local_faults_total: 'Faults of this machine that were kept out of the evidence',
  chat_redis_failures_total: 'Calls to Redis without an answer in time',
  chat_runtime_files_dropped_total: 'Files of the runtime that were not passed on, for where they are',
  chat_journal_dropped_total: 'Journal entries that could not be kept',
  chat_notifications_dropped_total: 'Notifications that were not delivered',
  chat_recovery_shadows_total: 'Recovery shadows that were run',
  chat_recovery_shadows_dropped_total:
    'Recovery shadows not run: too many were running, or the runtime is not known to keep the fence',
} as const
export type CountName = keyof typeof COUNTS

function registerCounts(registry: MetricsRegistry, counts: () => Readonly<Record<CountName, number>>): void {
  for (const [name, help] of Object.entries(COUNTS))
    new Counter({
      name,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(new Map(Object.entries(counts())).get(name) ?? 0)
      },
    })
}

function rolloutChangeRecorder(registry: MetricsRegistry): ServiceMetrics['recordRolloutChange'] {
  const changes = new Counter({
    name: 'chat_rollout_changes_total',
    help: 'Changes of the guarded rollout that this replica made or took over',
    labelNames: ['kind'],
    registers: [registry],
  })
  for (const kind of ROLLOUT_CHANGE_KINDS) changes.inc({ kind }, 0)
  return (kind) => changes.inc({ kind })
}
