import { hash } from 'node:crypto'

export type PgValue = string | number | boolean | null
/** A row by position. `bigint` and `numeric` come as numbers, `json` as its text. */
export type PgRow = readonly PgValue[]

/** SQL that each connection parses and plans once. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** characters of a name: PostgreSQL takes 63 */
const NAME = 32

/** Named by its text, so that two versions of the service behind one pooler never mean different ones by the same name. */
export const statement = (text: string): Statement => ({
  name: hash('sha256', text, 'hex').slice(0, NAME),
  text,
})

/** Runs statements: each by itself, or all within one transaction. */
export interface Runner {
  rows(statement: Statement, values: readonly (PgValue | readonly PgValue[])[]): Promise<PgRow[]>
  /** rows changed */
  change(statement: Statement, values: readonly (PgValue | readonly PgValue[])[]): Promise<number>
}
