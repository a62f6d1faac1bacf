import type { RedisLink } from '../core/redis/redis-link.js'
import type { Flags } from '../decision/flags.js'
import type { RunningFallback } from '../fallback/loop/running-fallback.js'
import type { Journal } from '../journal/journal.js'
import type { OverloadWatch } from '../limits/overload.js'
import { activeTrace } from '../metrics/active-trace.js'
import type { LocalFaults } from '../metrics/local-faults.js'
import type { LoopLag } from '../metrics/loop-lag.js'
import { createServiceMetrics, type ServiceMetrics } from '../metrics/prometheus.js'
import type { PublicWindows } from '../metrics/windows/windows.js'
import type { Notifier } from '../notifications/notifier.js'
import type { RunningRollout } from '../rollout/rollout-loop.js'
import type { SessionStore } from '../sessions/session-store.js'
import type { RecoveryShadows } from '../shadow/run/recovery-shadows.js'
import type { SharedLlm } from './backends.js'
import type { openShadows } from './shadows.js'
import type { Surroundings } from './surroundings.js'

interface Counted {
  readonly sessions: SessionStore
  readonly localFaults: LocalFaults
  readonly flags: Flags
  readonly fallback: RunningFallback
  readonly rollout: RunningRollout
  readonly shadows: ReturnType<typeof openShadows>
  readonly windows: PublicWindows
  readonly journal: Journal
  readonly notifier: Notifier | undefined
  readonly recoveryShadows: RecoveryShadows
  readonly overload: OverloadWatch
  readonly llm: SharedLlm
  readonly droppedFiles: () => number
  readonly redis: RedisLink | undefined
  readonly loopLag: LoopLag
}

export function openMetrics(parts: Counted, { config }: Surroundings): ServiceMetrics {
  const {
    sessions,
    localFaults,
    flags,
    fallback,
    shadows,
    windows,
    journal,
    notifier,
    recoveryShadows,
    redis,
  } = parts
  const metrics = createServiceMetrics({
    replica: config.replica,
    ...(config.worker === undefined ? {} : { worker: config.worker }),
    exemplar: activeTrace,
    loopLag: parts.loopLag,
    flagsStatus: () => flags.status(),
    codeDefaults: () => flags.codeDefaults(),
    fallback: () => fallback.snapshot(),
    rollout: () => parts.rollout.snapshot(),
    shadows: () => shadows.counts(),
    storeAvailable: () => sessions.isAvailable,
    overloadLevel: () => parts.overload.level,
    ...(redis === undefined ? {} : { redisUp: () => redis.isUp }),
    llm: () => ({
      requests: parts.llm.requests.list(),
      endpoints: parts.llm.gate.state(),
      waiting: parts.llm.gate.waiting,
      refused: parts.llm.requests.refused,
    }),
    counts: () => ({
      chat_window_orgs_dropped_total: windows.droppedOrgs,
      chat_turns_lost_total: sessions.lost,
      chat_local_faults_total: localFaults.count,
      chat_redis_failures_total: redis?.failures ?? 0,
      chat_runtime_files_dropped_total: parts.droppedFiles(),
      chat_journal_dropped_total: journal.dropped,
      chat_notifications_dropped_total: notifier === undefined ? 0 : notifier.dropped + notifier.givenUp,
      chat_recovery_shadows_total: recoveryShadows.counts().started,
      chat_recovery_shadows_dropped_total: recoveryShadows.counts().dropped,
    }),
  })
  fallback.subscribe((event) => {
    if (event.kind === 'transition') metrics.recordTransition(event.transition)
  })
  parts.rollout.subscribe((event) => {
    if (event.kind === 'change') metrics.recordRolloutChange(event.change.kind)
  })
  return metrics
}
