import { isForeign } from '../parse/foreign.js'

/** Why a server refused a request, as far as another one may help. Nothing of its text leaves this file. */
export interface LlmRefusal {
  /** The prompt does not fit the model's context. */
  readonly tooLong: boolean
  /** the field of the request that it refuses */
  readonly parameter?: string
}

/** What servers call a prompt that does not fit the context: `code` or `type` of the error. */
const TOO_LONG_CODES: ReadonlySet<string> = new Set([
  'context_length_exceeded', // OpenAI, Azure, DeepSeek, Groq
  'context_window_exceeded',
  'model_context_window_exceeded', // Anthropic
  'max_context_length_exceeded',
  'prompt_too_long',
  'exceed_context_size_error', // llama.cpp
  'tokens_limit_reached', // GitHub Models
])

/** The same in words: the `message` of the error, for servers without such a code. */
const TOO_LONG_WORDS: readonly RegExp[] = [
  // OpenAI, vLLM, OpenRouter, DeepSeek, Fireworks; Mistral: "too large for model with 32768 maximum context length"
  /maximum context length/i,
  // Groq, vLLM
  /reduce the length of the (?:messages|prompt|input)/i,
  // vLLM of old, without a limit of the answer too: "max_tokens must be at least 1, got -186."
  /max_tokens must be at least 1, got -/i,
  // proxies and routers
  /context[_ ]length[_ ]exceeded|exceeds the context window|greater than the context length/i,
  // LiteLLM, whatever the server behind it said: "litellm.ContextWindowExceededError: litellm.BadRequestError: …"
  /^litellm\.ContextWindowExceededError\b/,
  // Copilot
  /prompt token count .{0,40}exceeds the limit/i,
  // xAI
  /maximum prompt length/i,
  // SGLang: "The input (5000 tokens) is longer than the model's context length (4096 tokens)."
  /longer than the model's context length/i,
  // llama.cpp, Ollama
  /exceeds? the available context size/i,
  // Ollama: "the input length exceeds the context length", "exceeded max context length"
  /input length exceeds|exceed(?:s|ed) (?:the )?max(?:imum)? context length/i,
  // LM Studio
  /loaded with (?:a )?context length of only/i,
  // Anthropic: "prompt is too long: 210000 tokens > 200000 maximum", "input length and `max_tokens` exceed context limit"
  /prompt (?:is )?too long|exceed context limit/i,
  // Gemini: "The input token count (1200000) exceeds the maximum number of tokens allowed (1048575)."
  /input token count .{0,40}exceeds the maximum/i,
  // Bedrock
  /input is too long for requested model/i,
  // text-generation-inference: "`inputs` tokens + `max_new_tokens` must be <= 4096", "`inputs` must have less than 1024 tokens"
  /`?inputs`? (?:tokens \+ `?max_new_tokens`? must be <=|must have less than)/i,
  // Cohere, Qwen, Moonshot, Zhipu, MiniMax
  /too many tokens|range of input length should be|exceeded model token limit|prompt exceeds max|context window exceeds limit/i,
]

/** 500: older llama.cpp and Ollama */
const TOO_LONG_STATUSES: ReadonlySet<number> = new Set([400, 413, 422, 500])
const REFUSING_STATUSES: ReadonlySet<number> = new Set([400, 422])

/** Names that no request goes without. */
const NEEDED: ReadonlySet<string> = new Set(['messages', 'model'])

/**
 * Reads the body of a response that is not 2xx, out of the list that it may be in. Pure.
 * @param sent the fields of the request
 */
export function llmRefusal(status: number, body: unknown, sent: readonly string[] = []): LlmRefusal {
  const error = errorOf(body)
  const tooLong = TOO_LONG_STATUSES.has(status) && saysTooLong(error)
  const parameter = REFUSING_STATUSES.has(status) ? parameterIn(error, body, sent) : undefined
  // The name that a text mentions by the way is not what is too long.
  const counts = parameter !== undefined && (!tooLong || isTooLargeItself(error, parameter))
  return { tooLong, ...(counts ? { parameter } : {}) }
}

/** Whether an `error` of a server says that the prompt does not fit. */
export function saysTooLong(error: unknown): boolean {
  const codes = isForeign(error) ? [error.code, error.type] : []
  if (codes.some((code) => typeof code === 'string' && TOO_LONG_CODES.has(code.toLowerCase()))) return true
  const text = textOf(error)
  return TOO_LONG_WORDS.some((words) => words.test(text))
}

/** The error in a body: an object or a text. */
function errorOf(body: unknown): unknown {
  if (!isForeign(body)) return body
  return isForeign(body.error) || typeof body.error === 'string' ? body.error : body
}

/** What it says; a router quotes the server behind it in `metadata.raw`. */
function textOf(error: unknown): string {
  if (typeof error === 'string') return error.slice(0, MOST_TEXT)
  if (!isForeign(error)) return ''
  const { message, detail, metadata } = error
  const raw = isForeign(metadata) ? metadata.raw : undefined
  const said = [message, detail, raw].filter((text) => typeof text === 'string')
  return said.join('\n').slice(0, MOST_TEXT)
}

/** Characters; a server may quote the whole prompt after its own words. */
const MOST_TEXT = 4000

function parameterIn(error: unknown, body: unknown, sent: readonly string[]): string | undefined {
  const names = sent.filter((name) => !NEEDED.has(name))
  const told = isForeign(error) ? error.param : undefined
  // Told outright: whatever else the text mentions is not it.
  if (isNamed(told)) return names.find((name) => name === told.split(/[.[]/)[0])
  const places = faultsIn(body).flatMap(fieldOf)
  if (places.length > 0) return names.find((name) => places.includes(name))
  const text = textOf(error)
  const named = names.find((name) => mentions(text, name))
  if (named !== undefined) return named
  return FORMAT_WORDS.test(text) ? names.find((name) => name === 'response_format') : undefined
}

/** llama.cpp refuses a schema without the name of its field: "… JSON schema error at #: unrecognized type x", "Failed to parse grammar". */
const FORMAT_WORDS = /\bJSON schema (?:error|conversion failed)|\bfailed to parse grammar/i

/** Whether `param` names something; LiteLLM of 2025 writes Python's `None` as a text. */
export function isNamed(param: unknown): param is string {
  return typeof param === 'string' && param !== '' && param !== 'None'
}

/** FastAPI and pydantic list faults with their places: `detail: [{loc: ["body", "stream_options"]}]`, Mistral within `message`. */
export function faultsIn(body: unknown): readonly unknown[] {
  if (!isForeign(body)) return []
  const { message, error } = body
  const lists = [body, message, error].map((part) => (isForeign(part) ? part.detail : undefined))
  return lists.find((list): list is readonly unknown[] => Array.isArray(list)) ?? []
}

/** The field of the request at fault, not one of a message in it: ["body", "messages", 3, "user", "name"]. */
export function fieldOf(fault: unknown): readonly unknown[] {
  if (!isForeign(fault) || !Array.isArray(fault.loc)) return []
  return fault.loc.filter((part) => part !== 'body').slice(0, 1)
}

const REFUSES =
  /not (?:be )?(?:supported|permitted|allowed|compatible|recognized)|n[o']t support|unsupported|unknown|unrecognized|unexpected|extra|invalid|deprecated|too large|must be|only/i

/** A plain word has to be quoted, or the text has to refuse something: "stream" and "user" stand in many texts. */
function mentions(text: string, name: string): boolean {
  const word = name.replace(/[^\w]/g, '\\$&')
  if (!new RegExp(`(?<![\\w])${word}(?![\\w])`).test(text)) return false
  if (name.includes('_') || new RegExp(`["'\`]${word}["'\`]`).test(text)) return true
  return REFUSES.test(text)
}

/** vLLM: "'max_tokens' is too large: 5000. This model's maximum context length is 4096 …". */
function isTooLargeItself(error: unknown, parameter: string): boolean {
  if (isForeign(error) && error.param === parameter) return true
  const word = parameter.replace(/[^\w]/g, '\\$&')
  return new RegExp(`["'\`]?${word}["'\`]?(?: or ["'\`]\\w+["'\`])? (?:is too large|exceeds?)`).test(
    textOf(error),
  )
}
