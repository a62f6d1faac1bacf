import { errorCode } from '../../core/errors.js'
import type { PostgresDatabase } from '../../core/postgres/postgres.js'
import { statement } from '../../core/postgres/statement.js'

export const PARTITIONED = ['executions', 'comparisons'] as const
export type Partitioned = (typeof PARTITIONED)[number]

export const isPartitioned = (table: string): table is Partitioned =>
  PARTITIONED.some((name) => name === table)

const DAY_MS = 86_400_000
/** days from now, before and after, that get a partition of their own: a clock that jumps does not make thousands */
const MOST_DAYS = 400
/** Any number that no other program takes as an advisory lock in this database. */
const LOCK = 7_145_036_042

const ADVISORY_LOCK = statement('SELECT pg_advisory_xact_lock($1)')
const NAMES = statement(
  'SELECT relname::text FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = $1::regclass',
)

const dayOf = (at: number): number => Math.floor(at / DAY_MS)
const nameOf = (table: Partitioned, day: number): string =>
  `${table}_${new Date(day * DAY_MS).toISOString().slice(0, 10).replaceAll('-', '')}`

/** First instant after the partition's day; undefined for the one of no day. Wall ms. */
export function endOfPartition(name: string): number | undefined {
  const [, year, month, day] = /_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
  if (year === undefined || month === undefined || day === undefined) return undefined
  return Date.UTC(Number(year), Number(month) - 1, Number(day)) + DAY_MS
}

/** The partitions of executions and comparisons: one a day, made before its first entry and dropped as a whole. */
export class Partitions {
  /** names of those that are there, or cannot be made */
  readonly #known = new Set<string>()

  constructor(
    private readonly database: PostgresDatabase,
    private readonly wall: () => number,
  ) {}

  /** Makes those of these instants, where they are missing. What is of no day near goes where all such entries are. */
  async make(table: Partitioned, instants: Iterable<number>): Promise<void> {
    const today = dayOf(this.wall())
    const days = new Set<number>()
    for (const at of instants) days.add(dayOf(at))
    for (const day of days) {
      const name = nameOfNear(table, day, today)
      if (name === undefined || this.#known.has(name)) continue
      await this.#make(table, name, day)
      this.#known.add(name)
    }
  }

  /** Drops those whose day was over at an instant. @returns how many */
  async dropBefore(table: Partitioned, before: number): Promise<number> {
    const names = (await this.database.rows(NAMES, [table])).map(([name]) => String(name))
    const old = names.filter((name) => (endOfPartition(name) ?? Number.POSITIVE_INFINITY) <= before)
    for (const name of old) {
      await this.database.script(`DROP TABLE IF EXISTS ${name}`)
      this.#known.delete(name)
    }
    return old.length
  }

  async #make(table: Partitioned, name: string, day: number): Promise<void> {
    try {
      await this.database.transaction(async (runner) => {
        await runner.rows(ADVISORY_LOCK, [LOCK])
        await runner.script(
          `CREATE TABLE IF NOT EXISTS ${name} PARTITION OF ${table}
            FOR VALUES FROM (${day * DAY_MS}) TO (${(day + 1) * DAY_MS})`,
        )
      })
    } catch (thrown) {
      // Entries of that day are among those of no day already: the others go there too.
      if (errorCode(thrown) !== CHECK_VIOLATION) throw thrown
    }
  }
}

const CHECK_VIOLATION = '23514'

const nameOfNear = (table: Partitioned, day: number, today: number): string | undefined =>
  Math.abs(day - today) <= MOST_DAYS ? nameOf(table, day) : undefined
