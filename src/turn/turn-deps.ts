import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { Flags } from '../decision/flags.js'
import type { ChatBackend, Turn } from '../execution/backend.js'
import type { ExecutionLimits } from '../execution/execution.js'
import type { LlmAdmission } from '../execution/llm/routed-llm.js'
import type { Outcome } from '../execution/outcome.js'
import type { Fallback } from '../fallback/fallback.js'
import type { Journal } from '../journal/journal.js'
import type { RefusalReason } from '../limits/refusal.js'
import type { TokenUsage } from '../limits/token-usage.js'
import type { PublicWindows } from '../metrics/windows/windows.js'
import type { TurnStatus } from '../protocol/api.js'
import type { Failover } from '../protocol/events.js'
import type { Decision, ExecutionMode } from '../protocol/modes.js'
import type { GuardedRollout } from '../rollout/rollout.js'
import type { SessionStore } from '../sessions/session-store.js'
import type { ShadowRunner } from '../shadow/run/shadow-runner.js'

/** What a turn tells the metrics. Recording never throws and never waits. */
export interface TurnMetrics {
  recordOutcome(outcome: Outcome): void
  recordDecision(decision: Decision): void
  recordFailover(failover: Failover): void
  /** one turn at its end, as its user saw it: ms from its request, failover included */
  recordTurn(turn: {
    readonly mode: ExecutionMode
    readonly outcome: Exclude<TurnStatus, 'running'>
    readonly latencyMs: number
    readonly firstContentMs?: number
  }): void
  /** one turn that did not begin for a limit */
  recordRefusal(reason: RefusalReason): void
  streamOpened(): void
  streamClosed(): void
}

/** Times of a turn in ms; protocols fix them, tests shorten them. */
export interface TurnTiming {
  /** between two renewals of a running turn's reservation */
  readonly renewMs: number
  /** between two looks at the stop mark */
  readonly stopLookMs: number
  /** the next turn waits so long for a session whose last cancel is still under way */
  readonly releasingMs: number
  /** for the store to keep the end of a turn */
  readonly finishMs: number
}

/** Silent tries on the runtime while the override keeps the users away from it. Never throws, never waits. */
export interface RecoveryShadowing {
  consider(turn: Turn, limits: ExecutionLimits): void
}

/** Everything a turn needs, made by the composition root. */
export interface TurnDeps {
  readonly flags: Pick<Flags, 'forTurn' | 'status'>
  readonly fallback: Pick<Fallback, 'overrideFor' | 'turnDecided' | 'record' | 'mayReturn' | 'onRuntimeLost'>
  readonly rollout: Pick<GuardedRollout, 'shareFor' | 'record'>
  readonly recoveryShadows: RecoveryShadowing
  readonly shadows: Pick<ShadowRunner, 'consider'>
  readonly windows: Pick<PublicWindows, 'record'>
  readonly journal: Pick<Journal, 'keepExecution'>
  readonly sessions: SessionStore
  /** of the direct LLM */
  readonly admission: LlmAdmission
  /** what the turns of an org have used today */
  readonly usage: TokenUsage
  readonly backends: Readonly<Record<ExecutionMode, ChatBackend>>
  readonly clock: Clock
  readonly ids: { newId(): string }
  readonly logger: Logger
  readonly metrics: TurnMetrics
}
