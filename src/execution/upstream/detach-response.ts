import { errorMonitor } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'

/** Node's own; the connection is given back by it. */
const NODES_OWN = 'finish'

/**
 * Takes the native response off got: its request object, options, timers and listeners cost 10 KiB, and nothing of them is needed
 * to read a body to its end. The caller listens to its `error` and `close`, and destroys it by its request.
 * @param ownEndListeners of Node, as `onOwnEndListeners` told them
 */
export function detachResponse(
  response: IncomingMessage,
  ownEndListeners: readonly unknown[],
): ClientRequest {
  // `error` and `end` would tell got alone; with `readable` the response would not flow.
  for (const name of ['error', 'aborted', 'readable', errorMonitor]) response.removeAllListeners(name)
  for (const listener of response.rawListeners('end'))
    if (!ownEndListeners.includes(listener)) response.off('end', listener as () => void)
  Reflect.set(response, 'request', undefined)

  const { req } = response as IncomingMessage & { readonly req: ClientRequest }
  for (const name of req.eventNames()) if (name !== NODES_OWN) req.removeAllListeners(name)
  // The response tells it too.
  req.on('error', ignore)
  return req
}

/** Calls back with what listens to the end of the response before got does; to be called once got has its request. */
export function onOwnEndListeners(
  request: ClientRequest,
  told: (listeners: readonly unknown[]) => void,
): void {
  request.prependOnceListener('response', (response) => told(response.rawListeners('end')))
}

function ignore(): void {}
