import type { Context, Middleware } from 'koa'
import { errorCode, errorText } from '../../core/errors.js'
import type { Logger } from '../../core/logger.js'
import { spanOf } from '../../core/tracing/request-span.js'
import { SessionStoreUnavailable } from '../../sessions/session-store.js'
import { TurnRefused } from '../../turn/turn-refused.js'
import { answerProblem } from './answer.js'
import { requestDeferred, requestFailed } from './edge-log.js'
import { PROBLEMS, Problem, type ProblemName, retryLater } from './problems.js'
import { requestIdOf } from './request-id.js'

/** What a connection that went away leaves behind; no fault of ours, so never logged as one. */
const CLIENT_GONE_CODES = new Set([
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_DESTROYED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
])

/** True for the error of a client that left in the middle of a request or an answer. */
export function isClientGone(thrown: unknown): boolean {
  return CLIENT_GONE_CODES.has(errorCode(thrown) ?? '')
}

/**
 * Turns whatever is thrown further in into one answer; a stack trace never leaves.
 * @param answer writes it; default: in the envelope
 */
export function answerErrors(
  logger: Logger,
  answer: (ctx: Context, problem: Problem) => void = answerProblem,
): Middleware {
  return async (ctx, next) => {
    try {
      await next()
    } catch (thrown) {
      if (isClientGone(thrown) && !ctx.writable) return
      const problem = toProblem(thrown)
      if (PROBLEMS[problem.problem].status >= 500) logFault(logger, ctx, problem, thrown)
      if (!ctx.headerSent) answer(ctx, problem)
    }
  }
}

function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  if (thrown instanceof TurnRefused) {
    const { refusal, retryAfterSeconds } = thrown
    return retryAfterSeconds === undefined ? new Problem(refusal) : retryLater(refusal, retryAfterSeconds)
  }
  if (thrown instanceof SessionStoreUnavailable) return retryLater('store_unavailable', 1, thrown)
  return new Problem('internal_error', { cause: thrown })
}

/** Refusals under load and during a drain are expected and counted elsewhere: no line for each. */
const EXPECTED = new Set([
  'starting',
  'draining',
  'overloaded',
  'llm_overloaded',
  'events_overloaded',
  'reports_overloaded',
])

/** What an operator does about a problem of a service that is degraded, not broken. */
const DEGRADED: Partial<Record<ProblemName, string>> = {
  streams_unavailable:
    'Check Redis (CHAT_REDIS_URL) and the way to it. Nothing needs a reset; readers try again by themselves. See redis_unreachable in docs/runbook.md',
}

function logFault(logger: Logger, ctx: Context, problem: Problem, thrown: unknown): void {
  if (EXPECTED.has(problem.problem)) return
  const cause = thrown instanceof Problem ? thrown.options.cause : thrown
  const event = {
    requestId: requestIdOf(ctx),
    ...spanOf(ctx).span?.ids,
    method: ctx.method,
    code: PROBLEMS[problem.problem].code,
    error: errorText(cause),
  }
  const action = DEGRADED[problem.problem]
  if (action === undefined) requestFailed(logger, event)
  else requestDeferred(logger, { ...event, action })
}
