import { language } from './language.js'

/** Numbers, shares and times as people read them, in the reader's language and time zone. */

export const count = (value: number): string => new Intl.NumberFormat(language.value).format(value)

export const share = (value: number): string =>
  new Intl.NumberFormat(language.value, {
    style: 'percent',
    minimumFractionDigits: value > 0 && value < 0.1 ? 1 : 0,
    maximumFractionDigits: 1,
  }).format(value)

/** `840 ms`, `2.4 s`, `3 min` */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`
  const minutes = Math.floor(ms / 60_000)
  const seconds = Math.round((ms % 60_000) / 1000)
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
  return seconds === 0 ? `${minutes} min` : `${minutes} min ${seconds} s`
}

export const clockTime = (at: number | string): string =>
  new Intl.DateTimeFormat(language.value, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(new Date(at))

export const dateTime = (at: number | string): string =>
  new Intl.DateTimeFormat(language.value, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(new Date(at))

export const utc = (at: number | string): string =>
  `${new Date(at).toISOString().replace('T', ' ').slice(0, 19)} UTC`

/** "a, b and 2 more": at most `shown` names, or one more where that would be the only one left out. */
export function names(list: readonly string[], shown = 3): string {
  const zh = language.value === 'zh-CN'
  if (list.length <= shown + 1)
    return new Intl.ListFormat(language.value, { type: 'conjunction' }).format(list)
  const rest = list.length - shown
  const head = list.slice(0, shown).join(zh ? '、' : ', ')
  return zh ? `${head} 等 ${list.length} 个` : `${head} and ${rest} more`
}
