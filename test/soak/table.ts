import { median } from '../chaos/statistics.js'
import { markdownTable } from '../support/measured-tables.js'
import type { AtRest, Series } from './samples.js'
import { isFlat, trendOf } from './trend.js'

export interface Judged {
  readonly series: Series
  readonly cells: readonly string[]
  readonly grows: boolean
}

/** Judges the points from then on (s since the start of the run). */
export function judge(series: Series, from: number, blockS: number): Judged {
  const start = Math.max(from, series.points[0]?.at ?? 0)
  const points = series.points.filter(({ at }) => at >= start)
  const trend = trendOf(points, blockS)
  const values = series.points.map(({ value }) => value)
  const head = [
    series.who,
    unitOf(series),
    number(median(values)),
    number(Math.max(...values)),
    (Math.max(0, (points.at(-1)?.at ?? start) - start) / 60).toFixed(0),
  ]
  if (trend.kind === 'too_short')
    return { series, cells: [...head, '', '', number(series.bound), 'too short'], grows: false }
  const grows = !isFlat(trend, series.bound)
  const cells = [
    ...head,
    signed(trend.perHour),
    `${signed(trend.low)} to ${signed(trend.high)}`,
    number(series.bound),
    grows ? 'GROWS' : 'flat',
  ]
  return { series, cells, grows }
}

export function trendTable(judged: readonly Judged[]): string {
  const head = [
    'replica',
    'what',
    'median',
    'most',
    'minutes judged',
    'growth an hour',
    '95% interval',
    'bound',
    '',
  ]
  return markdownTable(
    head,
    judged.map(({ cells }) => cells),
  )
}

/** Without any client: before the first one came, and after the last one left. */
export function restTable(atRest: readonly AtRest[]): string {
  const head = [
    'replica, nobody there',
    'heap after GC, MB',
    'RSS, MB',
    'active handles',
    'file descriptors',
    'sockets',
  ]
  const rows = atRest.map(({ who, heap, rss, handles, descriptors, sockets }, at) => {
    const when = at < atRest.length / 2 ? 'before' : 'after'
    return [`${who}, ${when}`, ...[heap, rss, handles, descriptors, sockets].map(number)]
  })
  return markdownTable(head, rows)
}

export function countTable(counts: ReadonlyMap<string, number>): string {
  const rows = [...counts]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([what, count]) => [what, String(count)])
  return markdownTable(['seen', 'times'], rows)
}

const unitOf = ({ what, unit }: Series): string => (unit === '' ? what : `${what}, ${unit}`)
const number = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(1))
const signed = (value: number): string => `${value >= 0 ? '+' : ''}${value.toFixed(1)}`
