import { bounded } from '../core/bounded.js'
import type { Clock } from '../core/clock.js'
import { knownBody } from './answer-head.js'
import type { BackendEvent, ExecutionCall } from './backend.js'
import { type BodySource, decodedBody } from './decoded-body.js'
import { ExecutionError } from './execution-error.js'
import { JsonLines } from './json-lines.js'
import { LlmTranslator, type LlmTranslatorOptions } from './llm-events.js'
import { FRAME_SHARE } from './memory-share.js'
import { SseReader } from './sse-reader.js'
import { TransportError } from './transport-error.js'
import type { UpstreamResponse } from './upstream-response.js'

/** Characters one chunk of an answer may have: some servers send a whole answer in one. */
export const MAX_LLM_FRAME = 16_777_216

/** ms without anything more after a `finish_reason`; then the answer is over, whatever the server forgot. */
const LINGER_MS = 1000

type Batch = readonly BackendEvent[]

/**
 * The body of a good response as an answer, pulled batch by batch: one a network read, at last its facts and its usage.
 * No generator: each layer of those costs every batch a few turns of the microtask queue.
 */
export class LlmAnswer {
  readonly #translator: LlmTranslator
  #body: BodySource | undefined
  #reader: SseReader | JsonLines | undefined
  #over = false
  #failure: unknown
  /** monotonic ms; once a `finish_reason` came */
  #until: number | undefined

  constructor(
    private readonly response: UpstreamResponse,
    private readonly call: Pick<ExecutionCall, 'onComplete'>,
    private readonly clock: Clock,
    options: LlmTranslatorOptions = {},
  ) {
    this.#translator = new LlmTranslator(options)
  }

  /** The next batch, never an empty one; undefined at its good end; rejects where it failed. One pull at a time. */
  async next(): Promise<Batch | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#over) return undefined
      let batch: Batch | undefined
      try {
        batch = await this.#pull()
      } catch (thrown) {
        this.#failure = thrown
      }
      batch ??= this.#end()
      if (batch.length > 0) return batch
    }
  }

  /** Frees what is held; nothing more is pulled. */
  close(): void {
    this.#over = true
    if (this.#reader instanceof SseReader) this.#reader.close()
    this.#body?.close()
  }

  /** What one read brings; undefined at the end. */
  async #pull(): Promise<Batch | undefined> {
    const translator = this.#translator
    if (translator.error !== undefined) throw translator.error
    if (translator.done) return undefined
    if (this.#reader === undefined) return this.#open()
    if (translator.settled) return this.#readOn(this.#reader)
    const chunks = await this.#reader.read()
    if (chunks !== undefined) return translator.translate(chunks)
    if (this.#reader instanceof SseReader) throw endedEarly()
    return this.#endOfJson(this.#reader)
  }

  async #open(): Promise<Batch> {
    this.#body = decodedBody(this.response)
    const { kind, source } = await knownBody(this.#body, this.response.contentType)
    // A server that does not stream, though it was asked to: the whole completion as one JSON, or a chunk a line.
    if (kind === 'json') this.#reader = new JsonLines(source, MAX_LLM_FRAME)
    else {
      const options = { maxFrame: MAX_LLM_FRAME, namedErrors: true, share: FRAME_SHARE }
      this.#reader = new SseReader(source, options)
    }
    return []
  }

  /** Usage may follow a `finish_reason`, and on servers that send one with every chunk the rest of the text. */
  async #readOn(reader: SseReader | JsonLines): Promise<Batch | undefined> {
    const translator = this.#translator
    // Complete as far as anybody can tell: late is only the usage now.
    if (!translator.wentOn) this.call.onComplete()
    this.#until ??= this.clock.monotonic() + LINGER_MS
    const chunks = await this.#readBefore(this.#until, reader)
    if (chunks === undefined) return undefined
    const { usage } = translator
    const batch = translator.translate(chunks)
    // Keep-alives are nothing: they must not hold up the end.
    if (batch.length > 0 || translator.usage !== usage) this.#until = undefined
    return batch
  }

  async #readBefore(until: number, reader: SseReader | JsonLines): Promise<readonly string[] | undefined> {
    try {
      const chunks = await bounded(reader.read(), Math.max(0, until - this.clock.monotonic()), this.clock)
      return chunks === 'late' ? undefined : chunks
    } catch (thrown) {
      // Only where its `finish_reason` meant the end was the answer complete before it broke.
      if (this.#translator.wentOn || !(thrown instanceof TransportError)) throw thrown
      return undefined
    }
  }

  /** Without a reason for its end: one completion needs none, of several lines the last may be missing. */
  #endOfJson(reader: JsonLines): undefined {
    if (!this.#translator.spoke)
      throw new ExecutionError('llm_protocol_error', 'headers', 'the JSON is no chat completion')
    if (!reader.isSingle) throw endedEarly()
  }

  /** Over, for better or worse: what was held because more might have come is part of what the user got. */
  #end(): Batch {
    const translator = this.#translator
    const rest = translator.end()
    this.close()
    this.#failure ??= translator.error
    if (this.#failure !== undefined) return rest
    this.call.onComplete()
    const { finishReason, usage } = translator
    return [
      ...rest,
      ...(finishReason === undefined ? [] : [{ type: 'facts' as const, data: { finishReason } }]),
      ...(usage === undefined ? [] : [{ type: 'usage' as const, data: usage }]),
    ]
  }
}

function endedEarly(): ExecutionError {
  return new ExecutionError('llm_disconnected', 'streaming', 'ended early')
}
