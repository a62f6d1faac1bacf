import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import type { TraceIds } from '../../core/tracing/trace-span.js'

/**
 * One function for each business event of the request edge in the log, beside those of turns. No message content, no secret,
 * ever. A log that cannot be written ends nothing.
 */

type FailedRequest = { requestId: string; method: string; code: string; error: string } & Partial<TraceIds>

export function requestFailed(logger: Logger, event: FailedRequest): void {
  guarded(logger, 'log', () => logger.error(event, 'request failed'))
}

/**
 * An engine that turns do without is away: this request has to wait for it, all else goes on.
 * @param event action: what an operator does about it
 */
export function requestDeferred(logger: Logger, event: FailedRequest & { action: string }): void {
  guarded(logger, 'log', () =>
    logger.warn(event, 'request answered 503: an engine is away, and turns go on without it'),
  )
}

/** An error outside every request's own handling. */
export function edgeFailed(logger: Logger, event: { error: string }): void {
  guarded(logger, 'log', () => logger.error(event, 'request edge failed'))
}

/** Keys are fetched again in the background; the old ones stay in effect. */
export function keysNotRefreshed(logger: Logger, event: { error: string }): void {
  guarded(logger, 'log', () => logger.warn(event, 'token keys not refreshed'))
}
