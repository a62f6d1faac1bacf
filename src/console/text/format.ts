import { language } from './language.js'

/** Numbers, shares and times as people read them, in the reader's language and time zone. */

export const count = (value: number): string => new Intl.NumberFormat(language.value).format(value)

export const share = (value: number): string =>
  new Intl.NumberFormat(language.value, {
    style: 'percent',
    minimumFractionDigits: value > 0 && value < 0.1 ? 1 : 0,
    maximumFractionDigits: 1,
  }).format(value)

/** `840 ms`, `2.4 s`, `3 min`, `1 h 30 min`; from a minute on in the words of the language */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  const all = Math.round(ms / 1000)
  if (all < 60) return `${all} s`
  const [h, min, s] =
    language.value === 'zh-CN' ? (['小时', '分钟', '秒'] as const) : (['h', 'min', 's'] as const)
  const minutes = Math.floor(all / 60)
  return minutes < 60
    ? parts([minutes, min], [all % 60, s])
    : parts([Math.floor(minutes / 60), h], [minutes % 60, min])
}

/** Both, or the first alone where the second is 0. */
const parts = (...pair: readonly (readonly [number, string])[]): string =>
  pair
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')

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
