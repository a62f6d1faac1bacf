import type { ExecutionErrorCode } from '../../protocol/execution-codes.js'

/** ms before the one retry on the same endpoint, with jitter so that turns that failed together do not come together */
const LEAST_DELAY_MS = 100
const MOST_DELAY_MS = 400
/** ms beyond a `Retry-After`, the second with jitter */
const LEAST_AFTER_MS = 10
const MORE_AFTER_MS = 90
/** the longest `Retry-After` a turn waits for, in ms */
const MOST_RETRY_AFTER_MS = 2000

/** What became of one request. */
export interface FailedRequest {
  readonly code: ExecutionErrorCode
  readonly httpStatus?: number
  readonly retryAfterMs?: number
  /** the server refused what the user sent */
  readonly rejected?: boolean
  /** this machine lacked something, or an agent's profile names a model that is not there: nothing is said about the server */
  readonly ours?: boolean
}

export interface Situation {
  /** something of the answer was sent to the client */
  readonly shown: boolean
  /** the endpoint had its retry from this turn */
  readonly retried: boolean
  /** the route has an endpoint that this turn has not asked */
  readonly hasNext: boolean
  /** ms until the deadline for headers */
  readonly leftMs: number
  /** 0 to 1, 1 excluded */
  readonly random: number
  /** takes one retry out of the endpoint's budget; asked only when the answer counts */
  takeRetry(): boolean
}

export type NextStep =
  | { readonly kind: 'retry'; readonly afterMs: number }
  | { readonly kind: 'next' }
  | { readonly kind: 'end' }

const END: NextStep = { kind: 'end' }

/** What a turn does after a request failed: once more on the same endpoint, on the next one, or no more. Pure. */
export function nextStep(failed: FailedRequest, situation: Situation): NextStep {
  if (situation.shown || situation.leftMs <= 0 || !mayGoAway(failed)) return END
  const afterMs = delayOf(failed, situation.random)
  const inTime = afterMs !== undefined && afterMs < situation.leftMs
  if (inTime && !situation.retried && situation.takeRetry()) return { kind: 'retry', afterMs }
  return situation.hasNext ? { kind: 'next' } : END
}

/** Whether the same request may succeed a moment later or elsewhere. */
function mayGoAway({ code, httpStatus, rejected }: FailedRequest): boolean {
  if (rejected === true || code === 'llm_content_filtered') return false
  if (code === 'connect_timeout' || code === 'llm_unreachable' || code === 'llm_disconnected') return true
  return httpStatus !== undefined && (httpStatus === 408 || httpStatus === 429 || httpStatus >= 500)
}

/** ms until the retry; none if the server wants to be left alone for longer, or does not say how long. */
function delayOf({ httpStatus, retryAfterMs }: FailedRequest, random: number): number | undefined {
  const jitterMs = (MOST_DELAY_MS - LEAST_DELAY_MS) * random
  if (httpStatus !== 429) return LEAST_DELAY_MS + jitterMs
  if (retryAfterMs === undefined || retryAfterMs > MOST_RETRY_AFTER_MS) return undefined
  // A timer may fire a moment early, and the server means what it says.
  return Math.max(retryAfterMs, LEAST_DELAY_MS) + LEAST_AFTER_MS + MORE_AFTER_MS * random
}
