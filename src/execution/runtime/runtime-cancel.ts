import type { Clock } from '../../core/clock.js'
import { guarded } from '../../core/guarded.js'
import { localFaultOf } from '../../core/local-fault.js'
import type { Logger } from '../../core/logger.js'
import type { TraceSpan } from '../../core/tracing/trace-span.js'
import type { Turn } from '../backend.js'
import { TransportError } from '../transport-error.js'
import type { HttpClient } from '../upstream/http-client.js'
import { fenceHeaders } from '../upstream/shadow-fence.js'
import type { FilePlaces } from './runtime-files.js'

/** What the executions of one runtime share. */
export interface RuntimeContext {
  /** without a trailing slash */
  readonly url: string
  readonly files: FilePlaces
  readonly clock: Clock
  readonly client: HttpClient
  readonly logger: Logger
  onTrouble(): void
  readonly onShadowHead?: (honoured: boolean) => void
  onRequestSent(): void
  onHead(): void
  /** A file was not passed on, for where it is. */
  onFileDropped(): void
}

/** ms a cancel may take in all. */
const CANCEL_MS = 1000

/** A connection was refused, reset, or broke, and not by our own machine. */
export function isTrouble(thrown: unknown): boolean {
  if (!(thrown instanceof TransportError) || localFaultOf(thrown.cause) !== undefined) return false
  return thrown.fault === 'unreachable' || thrown.fault === 'broken'
}

/** Tells the runtime that nobody listens any more. Never rejects; whether it worked changes nothing here. */
export async function tellToCancel(
  context: RuntimeContext,
  turn: Turn,
  span: TraceSpan | undefined,
): Promise<void> {
  const { url, client, clock, logger, onTrouble } = context
  const controller = new AbortController()
  const timer = clock.schedule(CANCEL_MS, () => controller.abort())
  try {
    const response = await client.post({
      url: `${url}/api/v1/execute/cancel`,
      headers: { 'x-request-id': turn.requestId, ...span?.headers, ...fenceHeaders(turn) },
      body: JSON.stringify({ session_id: turn.sessionId }),
      signal: controller.signal,
      connectMs: CANCEL_MS,
      headersMs: CANCEL_MS,
    })
    response.release()
  } catch (thrown) {
    if (isTrouble(thrown)) onTrouble()
    guarded(logger, 'log', () =>
      logger.debug({ requestId: turn.requestId }, 'the runtime could not be told to cancel'),
    )
  } finally {
    timer.cancel()
  }
}
