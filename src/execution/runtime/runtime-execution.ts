import { guarded } from '../../core/guarded.js'
import type { BackendEvent, BackendSink, ExecutionCall, RunningExecution, Turn } from '../backend.js'
import { ExecutionError, type ExecutionErrorDetails } from '../execution-error.js'
import { isForeign, token } from '../parse/foreign.js'
import { FRAME_SHARE } from '../parse/memory-share.js'
import { SseParser } from '../parse/sse-parser.js'
import { fastapiDetail } from '../refusal/fastapi-detail.js'
import { runtimeRejects } from '../refusal/whose-fault.js'
import { readErrorBody } from '../upstream/bounded-body.js'
import type { ByteSink } from '../upstream/byte-source.js'
import { fenceHeaders, honoursFence } from '../upstream/shadow-fence.js'
import { httpFailure, transportFailure } from '../upstream/upstream-failure.js'
import type { UpstreamResponse } from '../upstream/upstream-response.js'
import { isTrouble, type RuntimeContext, tellToCancel } from './runtime-cancel.js'
import { runtimeRequestBody } from './runtime-request.js'
import { RuntimeTranslator } from './runtime-translator.js'

/** Characters of one frame: a tool's result may be large, and is cut afterwards. */
const MAX_RUNTIME_FRAME = 16 * 1_048_576

/** One execution of the runtime; given up before its end it is followed by a cancel, once a connection stood. */
export class RuntimeExecution implements RunningExecution, ByteSink {
  readonly #translator: RuntimeTranslator
  readonly #parser = new SseParser({ maxFrame: MAX_RUNTIME_FRAME, share: FRAME_SHARE })
  #response: UpstreamResponse | undefined
  #isConnected = false
  /** Until it is known that the runtime itself ended the execution, leaving means giving it up. */
  #isRunning = true
  #isHeld = false
  #over = false

  constructor(
    private readonly context: RuntimeContext,
    private readonly turn: Turn,
    private readonly call: ExecutionCall,
    private readonly sink: BackendSink,
  ) {
    this.#translator = new RuntimeTranslator(context.files, call.softFailures)
  }

  /** Sends the request. */
  start(): void {
    void this.#ask()
  }

  resume(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#response?.resume()
  }

  /** Of the body: see `ByteSink`. */
  data(chunk: Buffer): void {
    if (this.#over) return
    try {
      const batch = this.#translate(this.#parser.take(chunk))
      if (this.#translator.end !== undefined) this.#complete(batch)
      else if (this.#parser.fault !== undefined) this.#broken(batch, this.#parser.fault)
      else if (batch !== undefined && !this.sink.batch(batch)) {
        this.#isHeld = true
        this.#response?.pause()
      }
    } catch (thrown) {
      this.#end(undefined, thrown)
    }
  }

  /** Of the body: see `ByteSink`. */
  end(fault?: unknown): void {
    if (this.#over) return
    try {
      const batch = this.#translate(this.#parser.end())
      if (this.#translator.end !== undefined) this.#complete(batch)
      else if (fault !== undefined) this.#broken(batch, fault)
      else {
        // Without a length nor chunks, an end of the connection is all that a reader sees of a break.
        this.context.onTrouble()
        this.#broken(batch, new ExecutionError('runtime_disconnected', 'streaming', 'ended early'))
      }
    } catch (thrown) {
      this.#end(undefined, thrown)
    }
  }

  #translate(frames: readonly string[]): readonly BackendEvent[] | undefined {
    const before = this.#translator.droppedFiles
    const batch = this.#translator.translate(frames)
    for (let dropped = before; dropped < this.#translator.droppedFiles; dropped += 1) {
      this.context.onFileDropped()
      this.call.watch?.fileDropped()
    }
    return batch
  }

  /** Up to the response head; never rejects. */
  async #ask(): Promise<void> {
    try {
      const response = await this.#request()
      this.call.onHeaders()
      this.context.onHead()
      response.listen(this)
    } catch (thrown) {
      this.#end(undefined, thrown)
    }
  }

  async #request(): Promise<UpstreamResponse> {
    const { context, turn, call } = this
    const response = await context.client.post({
      url: `${context.url}/api/v1/execute/stream`,
      headers: {
        accept: 'text/event-stream',
        'x-request-id': turn.requestId,
        ...call.span?.headers,
        ...fenceHeaders(turn),
      },
      body: runtimeRequestBody(turn),
      signal: call.signal,
      connectMs: call.connectMs,
      headersMs: call.headersMs,
      onConnected: () => {
        this.#isConnected = true
        call.onConnected()
        context.onRequestSent()
      },
    })
    this.#response = response
    if (response.status < 200 || response.status > 299) {
      this.#isRunning = false
      throw await statusFailure(response, context)
    }
    if (turn.shadow === true && context.onShadowHead !== undefined) {
      const honoured = honoursFence(response)
      context.onShadowHead(honoured)
      if (!honoured)
        throw new ExecutionError('runtime_protocol_error', 'headers', 'the fence around a shadow is ignored')
    }
    if (!response.contentType.toLowerCase().startsWith('text/event-stream'))
      throw new ExecutionError('runtime_protocol_error', 'headers', 'the answer is not an event stream')
    return response
  }

  /** The runtime said how it ended. */
  #complete(batch: readonly BackendEvent[] | undefined): void {
    const { end, unknown } = this.#translator
    this.#isRunning = end?.kind === 'failed' && end.givenUp
    const { logger } = this.context
    if (unknown > 0)
      guarded(logger, 'log', () =>
        logger.debug({ requestId: this.turn.requestId, unknown }, 'unknown runtime events'),
      )
    this.#end(batch, end?.kind === 'failed' ? end.error : undefined)
  }

  /** It did not; what was held for the next event goes out. */
  #broken(batch: readonly BackendEvent[] | undefined, fault: unknown): void {
    const held = this.#translator.breakOff()
    this.#end(held.length === 0 ? batch : [...(batch ?? []), ...held], fault)
  }

  #end(batch: readonly BackendEvent[] | undefined, failure: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#parser.close()
    if (isTrouble(failure)) this.context.onTrouble()
    const fault = this.#tellLast(batch) ?? failure
    if (this.#isRunning) this.#response?.destroy()
    else this.#response?.release()
    if (this.#isRunning && this.#isConnected)
      this.call.after(tellToCancel(this.context, this.turn, this.call.span))
    this.sink.end(fault === undefined ? undefined : transportFailure('runtime', fault))
  }

  /** What the sink threw: the execution ends also then, and in that. */
  #tellLast(batch: readonly BackendEvent[] | undefined): unknown {
    try {
      if (batch !== undefined) this.sink.batch(batch)
      return undefined
    } catch (thrown) {
      return thrown ?? new Error('the sink threw nothing')
    }
  }
}

async function statusFailure(response: UpstreamResponse, { clock }: RuntimeContext): Promise<ExecutionError> {
  const body = await readErrorBody(response, clock)
  const code = isForeign(body) ? token(body.code, 64) : undefined
  const details: ExecutionErrorDetails = {
    ...(code === undefined ? {} : { upstreamCode: code }),
    ...(runtimeRejects(response.status, body) ? { rejected: true } : {}),
  }
  return httpFailure('runtime', response.status, fastapiDetail(body), details)
}
