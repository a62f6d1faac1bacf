import type { Config } from '../config.js'
import type { Tracing } from '../core/tracing/tracing.js'
import type { Flags } from '../decision/flags.js'
import type { Fallback } from '../fallback/fallback.js'
import type { IdempotencyKeys } from '../idempotency/idempotency-keys.js'
import type { Journal } from '../journal/journal.js'
import type { OverloadWatch } from '../limits/overload.js'
import type { StartRates } from '../limits/start-rates.js'
import type { PublicWindows } from '../metrics/windows/windows.js'
import type { EndpointsView } from '../protocol/fallback.js'
import type { FlagEditRecord } from '../protocol/flag-edit-record.js'
import type { ReplayAnswer, ReplayRequest } from '../replay/replay.js'
import type { Presence } from '../replicas/presence.js'
import type { GuardedRollout } from '../rollout/rollout.js'
import type { OpsFile } from '../store/flag-store.js'
import type { TurnDeps, TurnMetrics, TurnTiming } from '../turn/turn-deps.js'
import type { TurnRegistry } from '../turn/turn-registry.js'
import type { SigningKeys } from './auth/token-keys.js'
import type { FleetStreams } from './fleet/fleet-streams.js'
import type { Missing } from './readiness.js'

/** What the request edge tells the metrics, and the exposition it serves. Recording never throws and never waits. */
export interface EdgeMetrics extends TurnMetrics {
  /** one answered request: `POST /api/v1/chat/start` or `unmatched`, and its status */
  recordRequest(route: string, code: number): void
  /** @param format only `openmetrics` has the traces of what was measured */
  exposition(
    format: 'prometheus' | 'openmetrics',
  ): Promise<{ readonly contentType: string; readonly body: string }>
}

/**
 * Where the process is in its life; `ready` and `leaving` take new turns. `leaving`: told to stop, and the load balancer that sends it
 * requests has not noticed yet that it is no longer ready.
 */
export interface Lifecycle {
  state(): 'starting' | 'ready' | 'leaving' | 'draining'
  /** what a start waits for; empty before it waits, and once it is over */
  missing(): readonly Missing[]
  /** aborted when the drain begins: streams that end by nothing else end then */
  readonly draining: AbortSignal
}

/** Times of the request edge in ms; protocols fix them, tests shorten them. */
export interface EdgeTiming extends TurnTiming {
  /** between two `heartbeat` events */
  readonly heartbeatMs: number
  /** a reader that takes nothing for so long while we hold something for it is cut off */
  readonly slowReaderMs: number
  /** for a request body to arrive */
  readonly bodyMs: number
  /** after a 413 the connection is read (and thrown away) for so long, so that the client sees the answer */
  readonly lingerMs: number
  /** the longest an operator's stream goes without a `metrics` event */
  readonly metricsMs: number
  /** a request with the `Idempotency-Key` of a turn that runs elsewhere waits so long for its end */
  readonly keyedTurnMs: number
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
  keyedTurnMs: 20_000,
}

/** Everything the request edge needs, made by the composition root. */
export interface AppDeps extends TurnDeps {
  readonly config: Pick<
    Config,
    | 'auth'
    | 'codeDefaults'
    | 'consoleOidc'
    | 'corsOrigins'
    | 'demo'
    | 'maxStreams'
    | 'onDisconnect'
    | 'openai'
    | 'reconnectGraceMs'
    | 'replica'
    | 'runtime'
    | 'turnsPerMinute'
  > & {
    readonly flags: Pick<Config['flags'], 'opsFile' | 'providerModule'>
    readonly llm: readonly { readonly name: string }[]
    readonly shadow: Pick<Config['shadow'], 'keepContent'>
  }
  readonly flags: Flags
  readonly opsFile: Pick<OpsFile, 'name' | 'read' | 'write'>
  /** Keeps an edit of that file, and tells people of it. Never throws, never waits. */
  flagsEdited(edit: FlagEditRecord): void
  readonly fallback: Fallback
  readonly rollout: GuardedRollout
  readonly replicas: Pick<Presence, 'seen'>
  readonly windows: PublicWindows
  readonly journal: Omit<
    Journal,
    | 'notifications'
    | 'keepFlagEdit'
    | 'keepRolloutChange'
    | 'keepTransition'
    | 'keepSample'
    | 'samples'
    | 'close'
  >
  /** Kept evidence through the fallback with other guardrails; bounded. @throws JournalUnavailable */
  replay(request: ReplayRequest): Promise<ReplayAnswer>
  /** the endpoints of the direct LLM now, in the order of their file, and the turns that wait for one */
  llmState(): Pick<EndpointsView, 'llm' | 'waiting'>
  readonly turns: TurnRegistry
  readonly overload: Pick<OverloadWatch, 'level' | 'places' | 'onLook' | 'turnedAway'>
  readonly metrics: EdgeMetrics
  readonly lifecycle: Lifecycle
  readonly tracing: Tracing
  /** default: made from `config.auth.keys`, fetched with the first token */
  readonly signingKeys?: Pick<SigningKeys, 'verify'>
  readonly idempotency: IdempotencyKeys
  /** starts in a minute over all replicas; default: of this process alone */
  readonly rates?: StartRates
  /** where Redis is configured: streams and stops of all replicas */
  readonly fleet?: FleetStreams
  /** that one operator may send; default: see limit-commands.ts */
  readonly commandsPerMinute?: number
  readonly timing?: Partial<EdgeTiming>
  /** bytes of events kept for readers that come back, all streams together; default: an eighth of the heap's limit */
  readonly streamBytes?: number
}
