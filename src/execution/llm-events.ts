import type { BackendEvent, Usage } from './backend.js'
import { ExecutionError } from './execution-error.js'
import { type Foreign, isForeign, namesTimeout, parseObject, token } from './foreign.js'
import { splitText } from './split-text.js'

/** In a row; then it is no chat completion. */
const MAX_UNPARSABLE = 10

/** Turns the chunks of one chat completion into events. Pure: no IO, no time. */
export class LlmTranslator {
  /** `[DONE]` came: nothing follows. */
  done = false
  /** A `finish_reason` came: the answer is complete, the usage may follow. */
  settled = false
  error: ExecutionError | undefined
  usage: Usage | undefined
  /** The usage is the final one: some servers send a running count with every chunk. */
  counted = false
  #unparsable = 0

  translate(chunks: readonly string[]): readonly BackendEvent[] {
    const out: BackendEvent[] = []
    for (const chunk of chunks) {
      if (this.done || this.error !== undefined) break
      if (chunk === '[DONE]') this.done = true
      else this.#take(parseObject(chunk), out)
    }
    return out
  }

  #take(chunk: Foreign | undefined, out: BackendEvent[]): void {
    if (chunk === undefined) {
      this.#unparsable += 1
      if (this.#unparsable < MAX_UNPARSABLE) return
      const said = `${MAX_UNPARSABLE} unparsable chunks in a row`
      this.#fail(new ExecutionError('llm_protocol_error', 'streaming', said))
      return
    }
    this.#unparsable = 0
    if (chunk.error !== undefined && chunk.error !== null) {
      this.#fail(errorOf(chunk.error))
      return
    }
    const choice: unknown = Array.isArray(chunk.choices) ? chunk.choices[0] : undefined
    if (isForeign(choice)) this.#choice(choice, out)
    const usage = isForeign(chunk.usage) ? usageOf(chunk.usage) : undefined
    if (usage === undefined) return
    this.usage = usage
    this.counted = this.settled
  }

  // A complete answer stays complete, whatever follows it.
  #fail(error: ExecutionError): void {
    if (!this.settled) this.error = error
  }

  #choice(choice: Foreign, out: BackendEvent[]): void {
    if (isForeign(choice.delta)) {
      const { content, reasoning_content: reasoning } = choice.delta
      if (typeof reasoning === 'string' && reasoning !== '') {
        out.push({ type: 'thinking', data: { content: reasoning } })
      }
      if (typeof content === 'string') {
        for (const piece of splitText(content)) out.push({ type: 'text', data: { content: piece } })
      }
    }
    if (typeof choice.finish_reason === 'string') this.settled = true
  }
}

function usageOf(usage: Foreign): Usage | undefined {
  const total = usage.total_tokens
  if (typeof total === 'number') return { tokens: total, estimated: false }
  const { prompt_tokens: prompt, completion_tokens: completion } = usage
  if (typeof prompt !== 'number' || typeof completion !== 'number') return undefined
  return { tokens: prompt + completion, estimated: false }
}

/** The code of an `error` object; its message may quote the prompt and stays out. */
export function llmErrorCode(error: unknown): string | undefined {
  return isForeign(error) ? (token(error.code, 64) ?? token(error.type, 64)) : undefined
}

function errorOf(error: unknown): ExecutionError {
  const code = llmErrorCode(error)
  const timeout = namesTimeout(code)
  const said = `error ${code ?? 'without a code'} in the stream`
  const details = code === undefined ? {} : { upstreamCode: code }
  return new ExecutionError(timeout ? 'llm_timeout' : 'llm_error', 'streaming', said, timeout, details)
}
