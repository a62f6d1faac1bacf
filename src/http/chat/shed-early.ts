import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { errorText } from '../../core/errors.js'
import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import type { Tracing } from '../../core/tracing/tracing.js'
import { type Limits, RETRY_AFTER } from '../../turn/limits.js'
import type { Recognize } from '../auth/auth.js'
import { CLIENT_LEFT, type CountingDeps } from '../edge/count-requests.js'
import { edgeFailed } from '../edge/edge-log.js'
import { PROBLEMS, retryLater } from '../edge/problems.js'
import { type PreparedDeps, prepareAnswer } from '../prepared-answer.js'
import { traceAnswered } from '../trace-requests.js'

export interface ShedDeps extends PreparedDeps, CountingDeps {
  /** path of the one request that is refused here */
  readonly startPath: string
  readonly recognize: Recognize
  readonly limits: Pick<Limits, 'isShedding' | 'refusedAtOnce'>
  readonly logger: Logger
  readonly tracing: Tracing
}

/**
 * Refuses a new session that would get no place in an overload, before it costs a way through the middleware: at three times the rate that
 * can be served, two of three requests are refused, and what they cost is missing to the turns. One with an `Idempotency-Key` may stand
 * for a turn that is there, so it goes on as always; so does one whose token is not good.
 * @param next takes all other requests; handles its own errors
 */
export function shedEarly(deps: ShedDeps, next: RequestListener): RequestListener {
  const { startPath, recognize, limits, logger } = deps
  const answer = prepareAnswer(retryLater('overloaded', RETRY_AFTER.overloaded), deps)
  const { status } = PROBLEMS.overloaded

  const isNew = ({ url = '', method, headers }: IncomingMessage): boolean =>
    method === 'POST' &&
    (url === startPath || url.startsWith(`${startPath}?`)) &&
    !('idempotency-key' in headers)

  const refuse = (request: IncomingMessage, response: ServerResponse): void => {
    const hasLeft = response.socket?.writable !== true
    const requestId = answer(request, response)
    guarded(logger, 'metrics', () =>
      deps.metrics.recordRequest(`POST ${startPath}`, hasLeft ? CLIENT_LEFT : status),
    )
    traceAnswered(deps, request, { requestId, route: startPath, status })
  }

  const shed = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const asker = await recognize(request)
    if (asker !== undefined && (await limits.refusedAtOnce(asker))) refuse(request, response)
    else next(request, response)
  }

  return (request, response) => {
    if (!isNew(request) || !limits.isShedding()) {
      next(request, response)
      return
    }
    shed(request, response).catch((thrown: unknown) => {
      edgeFailed(logger, { error: errorText(thrown) })
      response.destroy()
    })
  }
}
