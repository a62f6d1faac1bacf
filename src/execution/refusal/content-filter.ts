import { type Foreign, isForeign } from '../parse/foreign.js'

/** Codes by which servers say that what the user sent, or the answer to it, was not let through; in lower case. */
const CODES: ReadonlySet<string> = new Set([
  'content_filter',
  'content_filtered',
  'content_policy_violation',
  'data_inspection_failed',
  'datainspectionfailed',
  'moderation_blocked',
  'responsibleaipolicyviolation',
  'sensitivecontentdetected',
])

/**
 * What servers write that have no code for it: DeepSeek, DashScope, Anthropic, Azure, OpenAI, Moonshot and Zhipu in turn. Each
 * is a sentence of the server's own; a single word could be the user's, whom some servers quote.
 */
const TEXTS: readonly RegExp[] = [
  /^content exists risk\b/i,
  // LiteLLM, whatever the server behind it said
  /^litellm\.ContentPolicyViolationError\b/,
  /\b(?:in|out)put (?:data|text|image) may contain (?:inappropriate|sensitive) (?:content|information)\b/i,
  /\bblocked by content filtering policy\b/i,
  /\btriggering (?:azure openai|microsoft)'s content management policy\b/i,
  /\bprompt was flagged as potentially violating our usage policy\b/i,
  /\brequest was rejected (?:because it was considered high risk|as a result of our safety system)\b/i,
  /系统检测到输入或生成内容可能包含不安全或敏感内容/,
]
/** characters of a message that are looked at */
const MAX_TEXT = 1000

/** Whether a code, of whichever upstream, names its content filter. */
export function namesFilter(code: unknown): boolean {
  return typeof code === 'string' && CODES.has(code.toLowerCase())
}

/** Whether an error of an OpenAI-compatible server names the filter in its code, its type, or its inner code (Azure). */
export function hasFilterCode(error: unknown): boolean {
  if (!isForeign(error)) return false
  const inner = isForeign(error.innererror) ? error.innererror.code : undefined
  return [error.code, error.type, inner].some(namesFilter)
}

/** Whether an error, an object or a text, says in words that the filter refused. */
export function hasFilterText(error: unknown): boolean {
  const said = isForeign(error) ? textOf(error) : error
  if (typeof said !== 'string') return false
  const text = said.slice(0, MAX_TEXT).trim()
  return TEXTS.some((pattern) => pattern.test(text))
}

function textOf(error: Foreign): unknown {
  return error.message ?? error.msg ?? error.detail
}
