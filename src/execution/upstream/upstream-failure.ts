import { errorCode } from '../../core/errors.js'
import { isDnsFaultCode, localFaultOf } from '../../core/local-fault.js'
import type { ExecutionErrorCode } from '../../protocol/execution-codes.js'
import { ExecutionError, type ExecutionErrorDetails } from '../execution-error.js'
import { TransportError } from '../transport-error.js'

/** Whose codes: `runtime_unreachable` or `llm_unreachable`. */
export type Upstream = 'runtime' | 'llm'

/** The stable code of an HTTP status that is not 2xx. */
export function httpErrorCode(upstream: Upstream, status: number): ExecutionErrorCode {
  if (status === 401 || status === 403) return `${upstream}_unauthorized`
  if (status === 429) return `${upstream}_rate_limited`
  if (status === 400 || status === 422) return `${upstream}_bad_request`
  return `${upstream}_http_error`
}

export function httpFailure(
  upstream: Upstream,
  status: number,
  said: string,
  details: ExecutionErrorDetails = {},
): ExecutionError {
  const message = said === '' ? `HTTP ${status}` : `HTTP ${status}: ${said}`
  return new ExecutionError(httpErrorCode(upstream, status), 'headers', message, false, {
    httpStatus: status,
    ...details,
  })
}

/** A transport's fault in the words of the protocol; anything else is passed on as it is. */
export function transportFailure(upstream: Upstream, thrown: unknown): unknown {
  if (!(thrown instanceof TransportError)) return thrown
  const { fault, connected } = thrown
  const phase = connected ? 'headers' : 'connect'
  const because = { cause: thrown }
  switch (fault) {
    case 'connect_timeout':
      return new ExecutionError('connect_timeout', 'connect', 'no connection in time', true, {}, because)
    case 'headers_timeout':
      return new ExecutionError('headers_timeout', 'headers', 'no response head in time', true, {}, because)
    case 'malformed':
      return new ExecutionError(`${upstream}_protocol_error`, phase, 'not HTTP', false, {}, because)
    case 'unreachable':
      return new ExecutionError(
        `${upstream}_unreachable`,
        phase,
        reasonOf(thrown),
        false,
        localFaultDetails(thrown),
        because,
      )
    case 'frame_too_large':
      return new ExecutionError(
        `${upstream}_frame_too_large`,
        'streaming',
        'frame too large',
        false,
        {},
        because,
      )
    case 'broken':
    case 'aborted':
      return new ExecutionError(
        `${upstream}_disconnected`,
        'streaming',
        'connection lost',
        false,
        {},
        because,
      )
  }
}

function localFaultDetails({ cause }: TransportError): ExecutionErrorDetails {
  const localFault = localFaultOf(cause)
  if (localFault !== undefined) return { localFault }
  return isDnsFaultCode(errorCode(cause)) ? { isDnsFault: true } : {}
}

function reasonOf(error: TransportError): string {
  const cause: unknown = error.cause
  return cause instanceof Error && 'code' in cause ? `unreachable: ${String(cause.code)}` : 'unreachable'
}
