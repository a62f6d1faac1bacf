import { isForeign } from '../parse/foreign.js'

/** What the operator has to correct: the key, or the name of the model. */
export type SetupFault = 'key' | 'model'

/** Statuses of servers that have no better one for it: 401 and 403 speak for themselves. */
const STATUSES: ReadonlySet<number> = new Set([400, 404, 422])

const KEY_CODES: ReadonlySet<string> = new Set([
  'invalid_api_key',
  'api_key_invalid',
  'authentication_error',
  'budget_exceeded', // LiteLLM: what the key may cost is spent
  'no_db_connection', // LiteLLM without a database, for every key but its master key
])
const MODEL_CODES: ReadonlySet<string> = new Set(['model_not_found', 'invalid_model'])

/** At the start of a text, since further on a server may quote the user: Gemini; xAI. */
const KEY_WORDS: readonly RegExp[] = [/^API key not valid\b/i, /^(?:incorrect|invalid) API key\b/i]
/** OpenAI and vLLM; Ollama and llama.cpp's router; DeepSeek; OpenRouter; Mistral; LiteLLM. */
const MODEL_WORDS: readonly RegExp[] = [
  /^the model \S{1,200} does not exist\b/i,
  /^model \S{1,200} not found\b/i,
  /^model not exist\b/i,
  /^\S{1,200} is not a valid model id\b/i,
  /^invalid model: /i,
  /^(?:\{'error': ')?\/\S{1,100}: invalid model name passed in model=/i,
]

/**
 * Whether a refusal is about how the endpoint is set up. Some servers say so with 400, as if the message were at fault.
 * @param error an object or a text
 */
export function setupFault(status: number, error: unknown): SetupFault | undefined {
  if (!STATUSES.has(status)) return undefined
  const codes = isForeign(error) ? [error.code, error.type] : []
  const text = isForeign(error) ? error.message : error
  if (codes.some((code) => isIn(KEY_CODES, code)) || matches(KEY_WORDS, text)) return 'key'
  if (codes.some((code) => isIn(MODEL_CODES, code)) || matches(MODEL_WORDS, text)) return 'model'
  return undefined
}

function isIn(codes: ReadonlySet<string>, code: unknown): boolean {
  return typeof code === 'string' && codes.has(code.toLowerCase())
}

function matches(words: readonly RegExp[], text: unknown): boolean {
  return typeof text === 'string' && words.some((pattern) => pattern.test(text))
}
