import { isForeign } from '../parse/foreign.js'
import { hasFilterText, namesFilter } from './content-filter.js'
import { faultsIn, fieldOf, isNamed } from './llm-refusal.js'

/** Statuses by which an upstream refuses a request for what is in it. */
const REFUSALS: ReadonlySet<number> = new Set([400, 413, 422])
/** beside those of content filters */
const CODES =
  /^(?:context_length_exceeded|context_window_exceeded|prompt_too_long|string_above_max_length|invalid_prompt)$/i
/** `messages`, `messages[3].content`, `prompt`, `input` */
const PARAM = /^(?:messages?|content|prompt|input)(?:$|[.[])/i
const PLACES: ReadonlySet<unknown> = new Set(['user_message', 'message'])

/** Whether a code, of whichever upstream, blames what the user sent. */
export function rejectingCode(code: unknown): boolean {
  return namesFilter(code) || (typeof code === 'string' && CODES.test(code))
}

/**
 * Whether an OpenAI-compatible server refused what the user sent: by a code of its own, or by the parameter or the places it
 * names. A key, a model, a temperature it does not like is ours to mend.
 */
export function llmRejects(status: number, body: unknown): boolean {
  if (!REFUSALS.has(status) || !isForeign(body)) return false
  const error = isForeign(body.error) ? body.error : body
  const inner = isForeign(error.innererror) ? error.innererror : {}
  if ([error.code, error.type, inner.code].some(rejectingCode)) return true
  if (isNamed(error.param)) return PARAM.test(error.param)
  const faults = faultsIn(body)
  return faults.length > 0 && faults.every(namesMessages)
}

/** A place that is missing is none: what the user sent stands there. */
function namesMessages(fault: unknown): boolean {
  return isForeign(fault) && fault.type !== 'missing' && fieldOf(fault)[0] === 'messages'
}

/** Whether a refusal says in words that a content filter did not let through what the user sent. */
export function saysFiltered(status: number, error: unknown): boolean {
  return REFUSALS.has(status) && hasFilterText(error)
}

/**
 * Whether the runtime refused what the user sent: every place that FastAPI's `detail` names is the user's message, or `detail`
 * says that a filter refused it. A place that is missing is none: we did not send it.
 */
export function runtimeRejects(status: number, body: unknown): boolean {
  if (!REFUSALS.has(status) || !isForeign(body)) return false
  if (!Array.isArray(body.detail)) return hasFilterText(body.detail ?? body.error ?? body)
  const faults = body.detail as readonly unknown[]
  return faults.length > 0 && faults.every(namesMessage)
}

function namesMessage(fault: unknown): boolean {
  if (!isForeign(fault) || fault.type === 'missing' || !Array.isArray(fault.loc)) return false
  return (fault.loc as readonly unknown[]).some((place) => PLACES.has(place))
}
