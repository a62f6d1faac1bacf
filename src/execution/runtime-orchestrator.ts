import { type Clock, systemClock } from '../core/clock.js'
import { type Logger, silentLogger } from '../core/logger.js'
import { ownFaultOf } from '../core/own-fault.js'
import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from './backend.js'
import { readErrorBody } from './bounded-body.js'
import { ExecutionError, type ExecutionErrorDetails } from './execution-error.js'
import { fastapiDetail } from './fastapi-detail.js'
import { isForeign, token } from './foreign.js'
import { createHttpClient, type HttpClient } from './http-client.js'
import { pushed } from './pushed.js'
import { runtimeRequestBody } from './runtime-request.js'
import { RuntimeTranslator } from './runtime-translator.js'
import { fenceHeaders, honoursFence } from './shadow-fence.js'
import { SseReader } from './sse-reader.js'
import { TransportError } from './transport-error.js'
import { httpFailure, transportFailure } from './upstream-failure.js'
import type { UpstreamResponse } from './upstream-response.js'
import { runtimeRejects } from './whose-fault.js'

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
}

/** Characters of one frame: a tool's result may be large, and is cut afterwards. */
const MAX_RUNTIME_FRAME = 16 * 1_048_576
/** ms a cancel may take in all. */
const CANCEL_MS = 1000

/**
 * The agent runtime at `url` (no trailing slash), as a backend. An execution given up before its end is followed by a
 * cancel, handed to `call.after`, once a connection stood. `close()` ends everything still open.
 */
export function createRuntimeOrchestrator(
  options: { readonly url: string },
  deps: BackendDeps = {},
): ChatBackend & { close(): void } {
  const clock = deps.clock ?? systemClock
  // Never a second time: the tools of the first may have run. Failover is there for a connection that breaks.
  const client = createHttpClient(clock, { resend: false })
  let closed = false
  const context: Context = {
    url: options.url,
    clock,
    client,
    logger: deps.logger ?? silentLogger,
    onTrouble() {
      if (!closed) deps.onConnectionTrouble?.()
    },
    ...(deps.onShadowHead === undefined ? {} : { onShadowHead: deps.onShadowHead }),
    onRequestSent: () => deps.onRequestSent?.(),
    onHead: () => deps.onHead?.(),
  }
  return {
    mode: 'runtime_orchestrator',
    execute: (turn, call, sink) => pushed(execute(context, turn, call), call.signal, sink),
    close() {
      // The connections that break now are broken by us.
      closed = true
      client.close()
    },
  }
}

interface Context {
  readonly url: string
  readonly clock: Clock
  readonly client: HttpClient
  readonly logger: Logger
  onTrouble(): void
  readonly onShadowHead?: (honoured: boolean) => void
  onRequestSent(): void
  onHead(): void
}

async function* execute(
  context: Context,
  turn: Turn,
  call: ExecutionCall,
): AsyncGenerator<readonly BackendEvent[], void, undefined> {
  let connected = false
  // Until it is known that the runtime itself ended the execution, leaving means giving it up.
  let running = true
  let response: UpstreamResponse | undefined
  try {
    response = await context.client.post({
      url: `${context.url}/api/v1/execute/stream`,
      headers: { accept: 'text/event-stream', 'x-request-id': turn.requestId, ...fenceHeaders(turn) },
      body: runtimeRequestBody(turn),
      signal: call.signal,
      connectMs: call.connectMs,
      headersMs: call.headersMs,
      onConnected() {
        connected = true
        call.onConnected()
        context.onRequestSent()
      },
    })
    if (response.status < 200 || response.status > 299) {
      running = false
      throw await statusFailure(response, context.clock)
    }
    if (turn.shadow === true && context.onShadowHead !== undefined) {
      const honoured = honoursFence(response)
      context.onShadowHead(honoured)
      if (!honoured)
        throw new ExecutionError('runtime_protocol_error', 'headers', 'the fence around a shadow is ignored')
    }
    if (!isEventStream(response)) {
      throw new ExecutionError('runtime_protocol_error', 'headers', 'the answer is not an event stream')
    }
    call.onHeaders()
    context.onHead()
    const translator = new RuntimeTranslator(context.url, call.softFailures)
    const reader = new SseReader(response, { maxFrame: MAX_RUNTIME_FRAME })
    while (translator.end === undefined) {
      let frames: readonly string[] | undefined
      try {
        frames = await reader.read()
      } catch (thrown) {
        yield* heldBy(translator)
        throw thrown
      }
      if (frames === undefined) {
        yield* heldBy(translator)
        // Without a length nor chunks, an end of the connection is all that a reader sees of a break.
        context.onTrouble()
        throw new ExecutionError('runtime_disconnected', 'streaming', 'ended early')
      }
      const batch = translator.translate(frames)
      if (translator.end !== undefined) running = givenUp(translator)
      if (batch !== undefined) yield batch
    }
    if (translator.unknown > 0) {
      context.logger.debug(
        { requestId: turn.requestId, unknown: translator.unknown },
        'unknown runtime events',
      )
    }
    if (translator.end.kind === 'failed') throw translator.end.error
  } catch (thrown) {
    if (isTrouble(thrown)) context.onTrouble()
    throw transportFailure('runtime', thrown)
  } finally {
    if (running) response?.destroy()
    else response?.release()
    if (running && connected) call.after(cancel(context, turn))
  }
}

function heldBy(translator: RuntimeTranslator): readonly (readonly BackendEvent[])[] {
  const held = translator.breakOff()
  return held.length === 0 ? [] : [held]
}

function isTrouble(thrown: unknown): boolean {
  if (!(thrown instanceof TransportError) || ownFaultOf(thrown.cause) !== undefined) return false
  return thrown.fault === 'unreachable' || thrown.fault === 'broken'
}

function givenUp({ end }: RuntimeTranslator): boolean {
  return end?.kind === 'failed' && end.givenUp
}

function isEventStream(response: UpstreamResponse): boolean {
  return response.contentType.toLowerCase().startsWith('text/event-stream')
}

async function statusFailure(response: UpstreamResponse, clock: Clock): Promise<ExecutionError> {
  const body = await readErrorBody(response, clock)
  const code = isForeign(body) ? token(body.code, 64) : undefined
  const details: ExecutionErrorDetails = {
    ...(code === undefined ? {} : { upstreamCode: code }),
    ...(runtimeRejects(response.status, body) ? { rejected: true } : {}),
  }
  return httpFailure('runtime', response.status, fastapiDetail(body), details)
}

/** Tells the runtime that nobody listens any more. Never rejects; whether it worked changes nothing here. */
async function cancel({ url, client, clock, logger, onTrouble }: Context, turn: Turn): Promise<void> {
  const controller = new AbortController()
  const timer = clock.schedule(CANCEL_MS, () => controller.abort())
  try {
    const response = await client.post({
      url: `${url}/api/v1/execute/cancel`,
      headers: { 'x-request-id': turn.requestId, ...fenceHeaders(turn) },
      body: JSON.stringify({ session_id: turn.sessionId }),
      signal: controller.signal,
      connectMs: CANCEL_MS,
      headersMs: CANCEL_MS,
    })
    response.release()
  } catch (thrown) {
    if (isTrouble(thrown)) onTrouble()
    logger.debug({ requestId: turn.requestId }, 'the runtime could not be told to cancel')
  } finally {
    timer.cancel()
  }
}
