import { isBlank } from '../../core/text.js'
import type { ThinkTags } from '../../llm/endpoint.js'
import type { FinishReason } from '../../protocol/events.js'
import type { BackendEvent, Usage } from '../backend.js'
import { ExecutionError } from '../execution-error.js'
import { type Foreign, isForeign, parseObject } from '../parse/foreign.js'
import { finishSaid } from './finish-reason.js'
import { LlmContent } from './llm-content.js'
import { contentFiltered, errorIn, streamError } from './llm-error.js'

/** In a row; then it is no chat completion. */
const MAX_UNPARSABLE = 10
/** `[DONE]` with blanks around it, and a keep-alive, are no longer. */
const MAX_SIGN = 64

export interface LlmTranslatorOptions {
  /** default `auto` */
  readonly thinkTags?: ThinkTags
}

/** Turns the chunks of one chat completion into events. Pure: no IO, no time. */
export class LlmTranslator {
  /** `[DONE]` came: nothing follows. */
  done = false
  /** Text came after a `finish_reason`: the server sends one with every chunk, so it says nothing about the end. */
  wentOn = false
  error: ExecutionError | undefined
  usage: Usage | undefined
  /** The usage is the final one: some servers send a running count with every chunk. */
  counted = false
  /** chunks that could not be read, before a `finish_reason`: text may be missing */
  unreadable = 0
  /** a chunk with `choices`, or an error, came */
  spoke = false
  #finish: FinishReason | undefined
  #visible = false
  #unparsable = 0
  readonly #content: LlmContent

  constructor(options: LlmTranslatorOptions = {}) {
    this.#content = new LlmContent(options.thinkTags ?? 'auto')
  }

  /** A `finish_reason` came: the answer is complete unless more of it follows. */
  get settled(): boolean {
    return this.#finish !== undefined
  }

  get finishReason(): FinishReason | undefined {
    return this.#content.refused && this.#finish === 'stop' ? 'refusal' : this.#finish
  }

  translate(chunks: readonly string[]): BackendEvent[] {
    const out: BackendEvent[] = []
    for (const chunk of chunks) {
      if (this.done || this.error !== undefined) break
      this.#read(chunk, out)
    }
    return out
  }

  /** Nothing more comes: what was held, and whether it was an answer at all. */
  end(): readonly BackendEvent[] {
    const out: BackendEvent[] = []
    this.#content.end(out)
    this.#look(out, 0)
    if (!this.#visible && this.#finish === 'content_filter') this.error ??= contentFiltered()
    return out
  }

  #read(chunk: string, out: BackendEvent[]): void {
    if (chunk.length <= MAX_SIGN) {
      const sign = chunk.trim()
      if (sign === '[DONE]') {
        this.done = true
        return
      }
      if (isKeepAlive(sign)) return
    }
    const parsed = parseObject(chunk)
    if (parsed !== undefined) this.#take(parsed, out)
    else if (!this.#readLines(chunk, out)) this.#countUnparsable()
  }

  /** Some servers put one line end where there should be two: a chunk is then several. */
  #readLines(chunk: string, out: BackendEvent[]): boolean {
    if (!chunk.includes('\n')) return false
    const lines = chunk.split('\n')
    if (!lines.some((line) => parseObject(line) !== undefined)) return false
    out.push(...this.translate(lines))
    return true
  }

  #countUnparsable(): void {
    // A complete answer stays complete, whatever noise follows it.
    if (this.settled) return
    this.unreadable += 1
    this.#unparsable += 1
    if (this.#unparsable < MAX_UNPARSABLE) return
    const said = `${MAX_UNPARSABLE} unparsable chunks in a row`
    this.error = new ExecutionError('llm_protocol_error', 'streaming', said)
  }

  #take(chunk: Foreign, out: BackendEvent[]): void {
    this.#unparsable = 0
    const error = errorIn(chunk)
    if (error !== undefined) {
      this.spoke = true
      this.error = streamError(error)
      return
    }
    const choice = Array.isArray(chunk.choices) ? firstChoice(chunk.choices) : undefined
    if (choice !== undefined) this.#choice(choice, out)
    const usage = isForeign(chunk.usage) ? usageOf(chunk.usage) : undefined
    if (usage === undefined) return
    this.usage = usage
    this.counted = this.settled
  }

  #choice(choice: Foreign, out: BackendEvent[]): void {
    this.spoke = true
    const before = out.length
    const delta = isForeign(choice.delta) ? choice.delta : choice.message
    if (isForeign(delta)) this.#content.take(delta, out)
    if (out.length > before) this.#look(out, before)
    if (choice.error) {
      this.error = streamError(choice.error)
      return
    }
    const said = finishSaid(choice.finish_reason)
    if (said === undefined) return
    if (said === 'failed') this.error = streamError({ code: choice.finish_reason })
    // A server that sends `stop` with every chunk tells of a cut once.
    else if (this.#finish === undefined || said !== 'stop') this.#finish = said
  }

  #look(out: readonly BackendEvent[], from: number): void {
    if (this.#visible && !this.settled) return
    for (let at = from; at < out.length; at += 1) {
      const event = out[at]
      if (event?.type !== 'text') continue
      if (this.settled) this.wentOn = true
      this.#visible ||= !isBlank(event.data.content)
    }
  }
}

/** The choice we asked for; servers that send more put them anywhere. */
function firstChoice(choices: readonly unknown[]): Foreign | undefined {
  for (const choice of choices) {
    if (isForeign(choice) && (typeof choice.index !== 'number' || choice.index === 0)) return choice
  }
  return undefined
}

const KEEP_ALIVE = /^(?:|:.*|null|\{\}|-?ping|pong|keep-?alive|heartbeat)$/i

function isKeepAlive(sign: string): boolean {
  const first = sign.charCodeAt(0)
  // The usual chunk begins with `{` and is longer than an empty object.
  return (first !== 0x7b || sign === '{}') && KEEP_ALIVE.test(sign)
}

function usageOf(usage: Foreign): Usage | undefined {
  const { total_tokens: total, prompt_tokens: prompt, completion_tokens: completion } = usage
  const parts =
    typeof prompt === 'number' && typeof completion === 'number'
      ? { promptTokens: prompt, completionTokens: completion }
      : undefined
  if (typeof total === 'number') return { tokens: total, estimated: false, ...parts }
  if (parts === undefined) return undefined
  return { tokens: parts.promptTokens + parts.completionTokens, estimated: false, ...parts }
}
