import { hash } from 'node:crypto'

export type PgScalar = string | number | boolean | null
/** A list is an array of the database. */
export type PgValue = PgScalar | readonly PgScalar[]
/** A row by position. `bigint` and `numeric` come as numbers, `json` as its text. */
export type PgRow = readonly PgScalar[]

/** SQL that each connection parses and plans once. */
export interface Statement {
  /** empty: parsed each time */
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
  rows(statement: Statement, values: readonly PgValue[]): Promise<PgRow[]>
  /** rows changed */
  change(statement: Statement, values: readonly PgValue[]): Promise<number>
  /** Several statements without values. */
  script(text: string): Promise<void>
}
