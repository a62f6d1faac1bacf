import type { Config } from '../config.js'
import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { Flags } from '../decision/flags.js'
import type { ChatBackend, Turn } from '../execution/backend.js'
import type { ExecutionLimits } from '../execution/execution.js'
import type { LlmAdmission } from '../execution/llm/routed-llm.js'
import type { Outcome } from '../execution/outcome.js'
import type { Fallback } from '../fallback/fallback.js'
import type { Journal } from '../journal/journal.js'
import type { PublicWindows } from '../metrics/windows/windows.js'
import type { TurnStatus } from '../protocol/api.js'
import type { Failover } from '../protocol/events.js'
import type { FlagEditRecord } from '../protocol/flag-edit-record.js'
import type { Decision, ExecutionMode } from '../protocol/modes.js'
import type { SessionStore } from '../sessions/session-store.js'
import type { ShadowRunner } from '../shadow/run/shadow-runner.js'
import type { OpsFile } from '../store/flag-store.js'
import type { SigningKeys } from './auth/token-keys.js'
import type { TurnRegistry } from './turns.js'

/** What the request edge tells the metrics, and the exposition it serves. Recording never throws and never waits. */
export interface EdgeMetrics {
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
  /** one answered request: `POST /api/v1/chat/start` or `unmatched`, and its status */
  recordRequest(route: string, code: number): void
  streamOpened(): void
  streamClosed(): void
  /** Prometheus text format */
  exposition(): Promise<{ readonly contentType: string; readonly body: string }>
}

/**
 * Where the process is in its life; `ready` and `leaving` take new turns. `leaving`: told to stop, and whoever sends it
 * requests has not noticed yet that it is no longer ready.
 */
export interface Lifecycle {
  state(): 'starting' | 'ready' | 'leaving' | 'draining'
  /** aborted when the drain begins: streams that end by nothing else end then */
  readonly draining: AbortSignal
}

/** Times of the request edge in ms; protocols fix them, tests shorten them. */
export interface EdgeTiming {
  /** between two `heartbeat` events */
  readonly heartbeatMs: number
  /** a reader that takes nothing for so long while we hold something for it is cut off */
  readonly slowReaderMs: number
  /** for a request body to arrive */
  readonly bodyMs: number
  /** after a 413 the connection is read (and thrown away) for so long, so that the client sees the answer */
  readonly lingerMs: number
  /** between two renewals of a running turn's reservation */
  readonly renewMs: number
  /** between two looks at the stop mark */
  readonly stopLookMs: number
  /** the next turn waits so long for a session whose last cancel is still under way */
  readonly releasingMs: number
  /** for the store to keep the end of a turn */
  readonly finishMs: number
  /** the longest an operator's stream goes without a `metrics` event */
  readonly metricsMs: number
}

export const EDGE_TIMING: EdgeTiming = {
  heartbeatMs: 15_000,
  slowReaderMs: 30_000,
  bodyMs: 10_000,
  lingerMs: 2_000,
  renewMs: 5_000,
  stopLookMs: 1_000,
  releasingMs: 1_300,
  finishMs: 3_000,
  metricsMs: 10_000,
}

/** Silent tries on the runtime while the override keeps the users away from it. Never throws, never waits. */
export interface RecoveryShadowing {
  consider(turn: Turn, limits: ExecutionLimits): void
}

/** Everything the request edge needs, made by the composition root. */
export interface AppDeps {
  readonly config: Pick<
    Config,
    'auth' | 'codeDefaults' | 'corsOrigins' | 'maxStreams' | 'replica' | 'turnsPerMinute'
  > & {
    readonly flags: Pick<Config['flags'], 'opsFile'>
    readonly llm: readonly { readonly name: string }[]
    readonly shadow: Pick<Config['shadow'], 'keepContent'>
  }
  readonly flags: Flags
  readonly opsFile: Pick<OpsFile, 'read' | 'write'>
  /** Keeps an edit of that file, and tells people of it. Never throws, never waits. */
  flagsEdited(edit: FlagEditRecord): void
  readonly fallback: Fallback
  readonly recoveryShadows: RecoveryShadowing
  readonly shadows: Pick<ShadowRunner, 'consider'>
  readonly windows: PublicWindows
  readonly journal: Omit<
    Journal,
    'notifications' | 'keepFlagEdit' | 'keepTransition' | 'keepSample' | 'samples' | 'close'
  >
  readonly sessions: SessionStore
  /** of the direct LLM */
  readonly admission: LlmAdmission
  readonly backends: Readonly<Record<ExecutionMode, ChatBackend>>
  readonly turns: TurnRegistry
  readonly clock: Clock
  readonly ids: { newId(): string }
  readonly logger: Logger
  readonly metrics: EdgeMetrics
  readonly lifecycle: Lifecycle
  /** default: made from `config.auth.keys`, fetched with the first token */
  readonly signingKeys?: Pick<SigningKeys, 'verify'>
  readonly timing?: Partial<EdgeTiming>
}
