import type { FlagEditRecord, KeptChange } from '../protocol/flag-edit-record.js'
import { oneLine } from './one-line.js'

type Language = 'zh-CN' | 'en'

/** changes, and names of a list, that a sentence repeats */
const MAX_CHANGES = 10
const MAX_NAMES = 10
/** characters of a value */
const MAX_VALUE = 120

/**
 * One line that says what was changed, and by whom:
 * `[chat-cutover] Operators' flags edited: flags.chat-execution-mode.defaultVariant: null → "direct_llm"; user u; replica a`.
 */
export function flagEditText({ changes, userId, replica }: FlagEditRecord, language: Language): string {
  const zh = language === 'zh-CN'
  const told = changes.slice(0, MAX_CHANGES).map((change) => changeText(change, zh))
  const rest = changes.length - told.length
  const parts = [
    `${zh ? '运维 flag 已修改' : "Operators' flags edited"}: ${told.join(zh ? '，' : ', ')}`,
    ...(rest === 0 ? [] : [zh ? `另有 ${rest} 处` : `${rest} more`]),
    oneLine(zh ? `操作人 ${userId}` : `user ${userId}`),
    oneLine(zh ? `副本 ${replica}` : `replica ${replica}`),
  ]
  return `[chat-cutover] ${parts.join(zh ? '；' : '; ')}`
}

function changeText({ path, before, after, added, removed, long }: KeptChange, zh: boolean): string {
  const name = oneLine(path)
  if (long === true) return `${name}: ${zh ? '内容过长，从略' : 'too long to repeat'}`
  if (added === undefined && removed === undefined)
    return `${name}: ${valueText(before)} → ${valueText(after)}`
  const names = [...(added ?? []).map((item) => `+${item}`), ...(removed ?? []).map((item) => `−${item}`)]
  const more = names.length > MAX_NAMES ? ` … (${names.length})` : ''
  return `${name}: ${oneLine(names.slice(0, MAX_NAMES).join(' '))}${more}`
}

/** Absent if there is nothing. */
function valueText(value: unknown): string {
  if (value === undefined) return '∅'
  const text = oneLine(JSON.stringify(value))
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE).replace(/[\ud800-\udbff]$/, '')}…` : text
}
