/**
 * What can go wrong on the way to an upstream and back, before anybody says whose upstream it is.
 * `unreachable`: no connection, or it broke before a response head; `malformed`: the answer is not HTTP;
 * `broken`: the connection ended inside the response; `frame_too_large`: one SSE frame over the bound.
 */
export type TransportFault =
  | 'connect_timeout'
  | 'headers_timeout'
  | 'unreachable'
  | 'malformed'
  | 'broken'
  | 'frame_too_large'
  | 'aborted'

/** Stays inside the backends, which turn it into an `ExecutionError`. `connected`: a connection stood. */
export class TransportError extends Error {
  override readonly name = 'TransportError'

  constructor(
    readonly fault: TransportFault,
    readonly connected: boolean,
    options?: ErrorOptions,
  ) {
    super(fault, options)
  }
}
