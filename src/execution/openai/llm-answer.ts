import type { Clock, Timer } from '../../core/clock.js'
import type { BackendEvent, BackendSink, ExecutionCall, RunningExecution } from '../backend.js'
import { ExecutionError } from '../execution-error.js'
import { JsonLines } from '../parse/json-lines.js'
import { FRAME_SHARE } from '../parse/memory-share.js'
import { type FrameParser, SseParser } from '../parse/sse-parser.js'
import { TransportError } from '../transport-error.js'
import type { ByteSink, ByteSource } from '../upstream/byte-source.js'
import { decodedBody } from '../upstream/decoded-body.js'
import type { UpstreamResponse } from '../upstream/upstream-response.js'
import { AnswerHead } from './answer-head.js'
import { LlmTranslator, type LlmTranslatorOptions } from './llm-events.js'

/** Characters one chunk of an answer may have: some servers send a whole answer in one. */
const MAX_LLM_FRAME = 16_777_216

/** ms without anything more after a `finish_reason`; then the answer is over, whatever the server forgot. */
const LINGER_MS = 1000

/** What an answer needs of its response. */
export type AnswerBody = ByteSource & Pick<UpstreamResponse, 'contentType' | 'contentEncoding'>

/**
 * The body of a good response as an answer: what one read brings goes on at once as one batch, never an empty one; the last
 * one tells the facts and the usage.
 */
export class LlmAnswer implements RunningExecution, ByteSink {
  readonly #translator: LlmTranslator
  readonly #head: AnswerHead
  #body: ByteSource | undefined
  #parser: FrameParser | undefined
  #isHeld = false
  #over = false
  #isTold = false
  /** runs out once a `finish_reason` came and nothing follows */
  #linger: Timer | undefined

  constructor(
    private readonly response: AnswerBody,
    private readonly call: Pick<ExecutionCall, 'onComplete'>,
    private readonly clock: Clock,
    options: LlmTranslatorOptions,
    private readonly sink: BackendSink,
  ) {
    this.#translator = new LlmTranslator(options)
    this.#head = new AnswerHead(response.contentType)
  }

  /** Chunks that could not be read: text may be missing. */
  get unreadable(): number {
    return this.#translator.unreadable
  }

  /** Begins to read. @throws ExecutionError for an encoding that is not known */
  start(): void {
    this.#body = decodedBody(this.response)
    this.#body.listen(this)
  }

  resume(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    if (this.#over) return
    if (this.#translator.settled) this.#wait()
    this.#body?.resume()
  }

  /** Given up: ends at once, also where all of the body has come and none of it is told any more. */
  abort(): void {
    this.end(new TransportError('aborted', true))
  }

  /** Frees what is held; nothing more is passed on. */
  close(): void {
    this.#over = true
    this.#linger?.cancel()
    this.#parser?.close()
    this.#body?.close()
  }

  /** Of the body: see `ByteSink`. */
  data(chunk: Buffer): void {
    if (this.#over) return
    try {
      const parser = this.#parser
      if (parser !== undefined) this.#take(parser, parser.take(chunk))
      else this.#begin(chunk)
    } catch (thrown) {
      this.#stray(thrown)
    }
  }

  /** Of the body: see `ByteSink`. */
  end(fault?: unknown): void {
    if (this.#over) return
    try {
      this.#takeEnd(fault)
    } catch (thrown) {
      this.#stray(thrown)
    }
  }

  #begin(chunk: Buffer): void {
    const kind = this.#head.take(chunk)
    if (kind === undefined) return
    const parser = parserOf(kind)
    this.#parser = parser
    this.#take(parser, parser.take(this.#head.seen))
  }

  #take(parser: FrameParser, chunks: readonly string[]): void {
    const translator = this.#translator
    const { usage, settled } = translator
    const batch = translator.translate(chunks)
    if (translator.error !== undefined || translator.done) this.#end(batch, translator.error)
    else if (parser.fault !== undefined) this.#broken(batch, parser.fault)
    else {
      if (batch.length > 0 && !this.sink.batch(batch)) this.#hold()
      // Keep-alives are nothing: they must not hold up the end.
      else if (translator.settled && (!settled || batch.length > 0 || translator.usage !== usage))
        this.#wait()
    }
  }

  #hold(): void {
    this.#isHeld = true
    this.#linger?.cancel()
    this.#body?.pause()
  }

  /** Usage may follow a `finish_reason`, and on servers that send one with every chunk the rest of the text. */
  #wait(): void {
    if (this.#over) return
    // Complete as far as anybody can tell: late is only the usage now.
    if (!this.#translator.wentOn) this.call.onComplete()
    this.#linger?.cancel()
    this.#linger = this.clock.schedule(LINGER_MS, () => this.#end([], undefined))
  }

  #takeEnd(fault: unknown): void {
    const translator = this.#translator
    // Broken before anybody could tell what it is.
    if (this.#parser === undefined && fault !== undefined) {
      this.#broken([], fault)
      return
    }
    const parser = this.#parser ?? parserOf(this.#head.end())
    const chunks = this.#parser === undefined ? [...parser.take(this.#head.seen)] : []
    this.#parser = parser
    // Of a body that broke whole lines alone are chunks.
    if (fault === undefined || !(parser instanceof JsonLines)) chunks.push(...parser.end())
    const batch = translator.translate(chunks)
    if (translator.error !== undefined || translator.done) this.#end(batch, translator.error)
    else if (fault !== undefined) this.#broken(batch, fault)
    else this.#end(batch, translator.settled ? undefined : this.#unfinished(parser))
  }

  /** Only where its `finish_reason` meant the end was the answer complete before it broke. */
  #broken(batch: readonly BackendEvent[], fault: unknown): void {
    const { settled, wentOn } = this.#translator
    const isComplete = settled && !wentOn && fault instanceof TransportError
    this.#end(batch, isComplete ? undefined : fault)
  }

  /** Without a reason for its end: one completion needs none, of several lines the last may be missing. */
  #unfinished(parser: FrameParser): ExecutionError | undefined {
    if (!(parser instanceof JsonLines)) return endedEarly()
    if (!this.#translator.spoke)
      return new ExecutionError('llm_protocol_error', 'headers', 'the JSON is no chat completion')
    return parser.isSingle ? undefined : endedEarly()
  }

  /** Over, for better or worse: what was held because more might have come is part of what the user got. */
  #end(batch: readonly BackendEvent[], failure: unknown): void {
    if (this.#over) return
    const translator = this.#translator
    const last = [...batch, ...translator.end()]
    const failed = failure ?? translator.error
    this.close()
    if (failed === undefined) {
      this.call.onComplete()
      const { finishReason, usage } = translator
      if (finishReason !== undefined) last.push({ type: 'facts', data: { finishReason } })
      if (usage !== undefined) last.push({ type: 'usage', data: usage })
    }
    if (last.length > 0) this.sink.batch(last)
    this.#tell(failed)
  }

  /** What should not have been thrown ends it all the same. */
  #stray(thrown: unknown): void {
    if (!this.#over) this.#end([], thrown)
    else this.#tell(thrown)
  }

  #tell(failure: unknown): void {
    if (this.#isTold) return
    this.#isTold = true
    this.sink.end(failure)
  }
}

/** A server that does not stream, though it was asked to: the whole completion as one JSON, or a chunk a line. */
function parserOf(kind: 'json' | 'sse'): FrameParser {
  if (kind === 'json') return new JsonLines(MAX_LLM_FRAME, FRAME_SHARE)
  return new SseParser({ maxFrame: MAX_LLM_FRAME, namedErrors: true, share: FRAME_SHARE })
}

function endedEarly(): ExecutionError {
  return new ExecutionError('llm_disconnected', 'streaming', 'ended early')
}
