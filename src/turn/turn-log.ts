import { guarded } from '../core/guarded.js'
import type { Logger } from '../core/logger.js'
import type { TraceIds } from '../core/tracing/trace-span.js'
import type { Failover } from '../protocol/events.js'
import type { Decision } from '../protocol/modes.js'

/**
 * One function for each business event of a turn in the log. No message content, no secret, ever. A log that
 * cannot be written ends nothing.
 */

/** What finds a turn again; the user is not named in the log. */
export interface TurnIdentity extends Partial<TraceIds> {
  readonly requestId: string
  readonly orgId: string
  readonly sessionId: string
  readonly messageId: string
  /** `X-Chat-Stream-Id` */
  readonly streamId: string
}

export interface TurnEnded extends TurnIdentity {
  readonly decision: Decision
  /** who answered */
  readonly executionMode: string
  /** `answered`, `stopped`, `failed` or `aborted` */
  readonly outcome: string
  readonly code?: string
  readonly phase?: string
  /** ms from the turn's start */
  readonly latencyMs: number
  readonly firstContentMs?: number
  readonly tokens?: number
  readonly failover?: Failover
}

/** The one line of every turn, at its end; a warning when the answer failed. */
export function turnEnded(logger: Logger, event: TurnEnded): void {
  const { decision, failover, ...rest } = event
  const line = {
    ...rest,
    decisionMode: decision.mode,
    decisionReason: decision.reason,
    shadow: decision.shadow,
    ...(failover === undefined ? {} : { failoverCause: failover.cause, failoverPhase: failover.phase }),
  }
  guarded(logger, 'log', () =>
    event.outcome === 'failed' ? logger.warn(line, 'turn ended') : logger.info(line, 'turn ended'),
  )
}

/** The end of a turn could not be kept: its answer is missing from the history. */
export function turnNotKept(logger: Logger, event: TurnIdentity & { error: string }): void {
  guarded(logger, 'log', () => logger.error(event, 'turn not kept'))
}

/** A session could not be released; it stays busy until its reservation runs out. */
export function sessionNotReleased(logger: Logger, event: TurnIdentity & { error: string }): void {
  guarded(logger, 'log', () => logger.error(event, 'session not released'))
}

/** A reservation could not be renewed or looked at. Told once a turn. */
export function reservationNotRenewed(logger: Logger, event: TurnIdentity & { error: string }): void {
  guarded(logger, 'log', () => logger.warn(event, 'reservation not renewed'))
}

/** A fault of ours inside a turn; the client got `internal_error`. */
export function turnBroke(logger: Logger, event: TurnIdentity & { error: string }): void {
  guarded(logger, 'log', () => logger.error(event, 'turn broke'))
}
