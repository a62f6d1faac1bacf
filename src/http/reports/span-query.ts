import { z } from 'zod'
import type { Sentence } from '../edge/language.js'
import { Problem } from '../edge/problems.js'

/** A date is the beginning of its day in UTC. */
const isoInstant = z.union([z.iso.datetime({ offset: true }), z.iso.date()])

const BAD_INSTANT: Sentence = {
  'zh-CN': '必须是 ISO 8601 时间，例如 2026-01-31 或 2026-01-31T08:00:00Z',
  en: 'must be an instant as ISO 8601, like 2026-01-31 or 2026-01-31T08:00:00Z',
}
const BACKWARDS: Sentence = {
  'zh-CN': '必须早于 to（未给出时为当前时间）',
  en: 'must be before to (now where it is not given)',
}

/**
 * The span of `from` and `to`, wall-clock ms; what is absent: up to now, and so long before that.
 * @throws Problem 400 with one line a field
 */
export function spanOfQuery(
  query: { readonly from?: string | undefined; readonly to?: string | undefined },
  now: number,
  lengthMs: number,
): { readonly from: number; readonly to: number } {
  const to = query.to === undefined ? now : millis(query.to)
  const from = query.from === undefined ? (to ?? now) - lengthMs : millis(query.from)
  if (from !== undefined && to !== undefined && from < to) return { from, to }
  const details = [
    ...(from === undefined ? [line('from', BAD_INSTANT)] : []),
    ...(to === undefined ? [line('to', BAD_INSTANT)] : []),
  ]
  throw new Problem('body_fields', { details: details.length > 0 ? details : [line('from', BACKWARDS)] })
}

function millis(text: string): number | undefined {
  // A `+` that nobody encoded arrives as a blank.
  const parsed = isoInstant.safeParse(text.trim().replace(/ (?=\d\d:\d\d$)/, '+'))
  if (!parsed.success) return undefined
  const ms = Date.parse(parsed.data)
  return Number.isNaN(ms) ? undefined : ms
}

const line = (field: string, fault: Sentence): Sentence => ({
  'zh-CN': `${field}: ${fault['zh-CN']}`,
  en: `${field}: ${fault.en}`,
})
