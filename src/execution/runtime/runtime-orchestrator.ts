import { type Clock, systemClock } from '../../core/clock.js'
import { type Logger, silentLogger } from '../../core/logger.js'
import type { ChatBackend } from '../backend.js'
import { createHttpClient } from '../upstream/http-client.js'
import type { RuntimeContext } from './runtime-cancel.js'
import { RuntimeExecution } from './runtime-execution.js'

export interface BackendDeps {
  readonly clock?: Clock
  readonly logger?: Logger
  /**
   * A connection to the runtime was refused, reset, or ended before the answer did: worth a probe at once. Not called
   * for what is missed in time, for an HTTP status, or for what we gave up ourselves. Called often while it lasts; must
   * not throw.
   */
  onConnectionTrouble?(): void
  /**
   * Given: a shadow goes on only where the response head says that the runtime keeps the fence. Any other is given up at its
   * head, as `runtime_protocol_error`, and cancelled. Told of each good head of a shadow first; must not throw.
   */
  onShadowHead?(honoured: boolean): void
  /** A request of a turn goes out on a connection that stands. Must not throw. */
  onRequestSent?(): void
  /** The good response head of a turn came. Must not throw. */
  onHead?(): void
  /** A file of a turn was not passed on, for where it is. Must not throw. */
  onFileDropped?(): void
}

/**
 * The agent runtime at `url` (no trailing slash), as a backend. Its files are passed on from there and from `fileOrigins`. An execution given up before its end is followed by a
 * cancel, handed to `call.after`, once a connection stood. `close()` ends everything still open.
 */
export function createRuntimeOrchestrator(
  options: { readonly url: string; readonly fileOrigins?: readonly string[] },
  deps: BackendDeps = {},
): ChatBackend & { close(): void } {
  const clock = deps.clock ?? systemClock
  // Never a second time: the tools of the first may have run. Failover is there for a connection that breaks.
  const client = createHttpClient(clock, { resend: false })
  let closed = false
  const context: RuntimeContext = {
    url: options.url,
    files: { baseUrl: options.url, origins: options.fileOrigins ?? [] },
    clock,
    client,
    logger: deps.logger ?? silentLogger,
    onTrouble() {
      if (!closed) deps.onConnectionTrouble?.()
    },
    ...(deps.onShadowHead === undefined ? {} : { onShadowHead: deps.onShadowHead }),
    onRequestSent: () => deps.onRequestSent?.(),
    onHead: () => deps.onHead?.(),
    onFileDropped: () => deps.onFileDropped?.(),
  }
  return {
    mode: 'runtime_orchestrator',
    execute(turn, call, sink) {
      const execution = new RuntimeExecution(context, turn, call, sink)
      execution.start()
      return execution
    },
    close() {
      // The connections that break now are broken by us.
      closed = true
      client.close()
    },
  }
}
