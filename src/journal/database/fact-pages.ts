/** Where a page ends: an entry's instant, and its id among those of the same instant. */
export interface Position {
  readonly at: number
  readonly id: number
}

/** Which entries of a table: all of a span, or those with these values in the named columns. */
export interface SpanFilter {
  readonly from: number
  readonly to: number
  /** values of the columns the index begins with, in its order */
  readonly fixed: readonly string[]
  /** values of the other columns, undefined for any */
  readonly picked: readonly (string | undefined)[]
}

export interface SpanTable {
  readonly table: 'comparisons' | 'executions' | 'drops' | 'samples'
  /** columns of its index on spans before `at` */
  readonly fixed: readonly string[]
  readonly picked: readonly string[]
  /** SQL of an entry's facts as JSON, where they are no column */
  readonly facts?: string
  /** entries of one page, where they are long */
  readonly size?: number
}

/** What reports and replays read of many entries, whatever the database. */
export const SPAN_TABLES = {
  comparisons: { table: 'comparisons', fixed: ['control_mode'], picked: ['org_id', 'agent_id'] },
  pairs: { table: 'comparisons', fixed: ['control_mode'], picked: ['org_id', 'agent_id'] },
  executions: { table: 'executions', fixed: [], picked: ['org_id'] },
  executedFor: { table: 'executions', fixed: [], picked: ['org_id'] },
  judged: { table: 'executions', fixed: [], picked: ['org_id'] },
  observations: { table: 'samples', fixed: [], picked: [] },
  drops: { table: 'drops', fixed: ['control_mode'], picked: ['org_id', 'agent_id'] },
} as const satisfies Readonly<Record<string, SpanTable>>

export type FactKind = keyof typeof SPAN_TABLES

export interface FactPage {
  readonly items: readonly unknown[]
  /** absent on the last page */
  readonly end?: Position
}

/** Each entry's facts are JSON: checked as they were written, or by their column. */
export function listOf(text: string): readonly unknown[] {
  const list: unknown = JSON.parse(text)
  return Array.isArray(list) ? list : []
}
