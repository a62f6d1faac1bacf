import type { Middleware } from 'koa'
import { type Limits, RETRY_AFTER } from '../../turn/limits.js'
import type { Authenticate } from '../auth/auth.js'
import { answerProblem } from '../edge/answer.js'
import { retryLater } from '../edge/problems.js'

/**
 * Refuses a new session that would get no place in an overload, before it costs a way through the routes: at three times the rate that
 * can be served, two of three requests are refused, and what they cost is missing to the turns. One with an `Idempotency-Key` may stand
 * for a turn that is there, so it is looked up first, as always.
 * @param startPath of the one request that is refused here
 */
export function shedEarly(
  startPath: string,
  authenticate: Authenticate,
  limits: Pick<Limits, 'isShedding' | 'refusedAtOnce'>,
): Middleware {
  // One for all: a stack trace for each would be a tenth of what a refusal costs.
  const overloaded = retryLater('overloaded', RETRY_AFTER.overloaded)
  return async (ctx, next) => {
    const isNew = ctx.path === startPath && ctx.method === 'POST' && !('idempotency-key' in ctx.headers)
    if (!isNew || !limits.isShedding()) return next()
    if (!(await limits.refusedAtOnce(await authenticate(ctx)))) return next()
    // What the router would have set, for those who count.
    ctx._matchedRoute = startPath
    answerProblem(ctx, overloaded)
  }
}
