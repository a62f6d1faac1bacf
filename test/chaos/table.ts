import { markdownTable } from '../support/measured-tables.js'
import type { RowResult } from './row.js'
import { isMet, type Measure, median } from './statistics.js'

/** Markdown tables of what was seen. */

export function rowTable(results: readonly RowResult[]): string {
  return markdownTable(
    [
      'broken',
      'replicas',
      'flags by',
      'turns',
      'failed over',
      'failed before the commit point',
      'failed after it, told',
      'cut with a killed replica',
      'slowest turn, ms',
      'override',
      "operators' edits",
      'normal again, s',
      'seen',
      '',
    ],
    results.map((result) => [
      result.name,
      String(result.replicas),
      result.resolver,
      ...countsOf(result),
      result.told.join('; '),
      passedOrNot(result),
    ]),
  )
}

function countsOf(result: RowResult): string[] {
  if (result.skipped !== undefined) return Array.from({ length: 9 }, () => '')
  const { turns, failovers, failedBefore, failedAfter, cut, slowestMs, contents, backSeconds } = result
  return [
    ...[turns, failovers, failedBefore, failedAfter, cut, Math.round(slowestMs)].map(String),
    `${result.faults.some((fault) => fault.startsWith('override:')) ? 'WRONG' : 'right'} (${contents})`,
    result.isOpsKept ? 'kept' : 'LOST',
    Number.isNaN(backSeconds) ? 'never' : backSeconds.toFixed(1),
  ]
}

function passedOrNot({ faults, skipped }: RowResult): string {
  if (skipped !== undefined) return `not run: ${skipped}`
  return faults.length === 0 ? 'passed' : `FAILED: ${faults.join('; ')}`
}

export function numberTable(measures: readonly Measure[]): string {
  return markdownTable(
    ['at the guardrails as shipped, ms', 'least', 'median', 'most', 'target', '', ''],
    measures.map((measure) => {
      const { what, values, target, most, note } = measure
      const numbers = [Math.min(...values), median(values), Math.max(...values)]
      const met = most === undefined ? '' : isMet(measure) ? 'met' : 'MISSED'
      return [what, ...numbers.map((value) => String(Math.round(value))), target, met, note]
    }),
  )
}
