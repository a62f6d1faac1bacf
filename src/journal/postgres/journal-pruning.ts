import type { Clock, Timer } from '../../core/clock.js'
import type { PostgresDatabase } from '../../core/postgres/postgres.js'
import { AgeReference } from '../age-reference.js'
import type { Retention } from '../retention.js'
import {
  beyondOf,
  deleteOtherOf,
  deleteUpTo,
  PLAIN_TABLES,
  type PlainTable,
  pruneOf,
  SQL,
} from './journal-sql.js'
import { PARTITIONED, type Partitioned, type Partitions } from './partitions.js'

export interface PruningOptions {
  readonly clock: Clock
  readonly database: PostgresDatabase
  readonly partitions: Partitions
  readonly retention: Retention
}

const EVERY_MS = 60_000
/** ms between two rounds where the first left something */
const PAUSE_MS = 20
/** oldest rows of a table that one statement may delete; those of contents are large */
const STEP_ROWS = 2_000
const STEP_CONTENTS = 200
const DAY_MS = 86_400_000
/** ms after which a process that wrote nothing is forgotten */
const WRITER_MS = 7 * DAY_MS

const PRUNE = {
  transitions: pruneOf('transitions'),
  samples: pruneOf('samples'),
  contents: pruneOf('contents'),
  drops: pruneOf('drops'),
  edits: pruneOf('edits'),
  rollout_changes: pruneOf('rollout_changes'),
} as const satisfies Record<PlainTable, unknown>
const BEYOND = { executions: beyondOf('executions'), comparisons: beyondOf('comparisons') }
const UP_TO = { executions: deleteUpTo('executions'), comparisons: deleteUpTo('comparisons') }
const OTHER = { executions: deleteOtherOf('executions'), comparisons: deleteOtherOf('comparisons') }

/**
 * Deletes each minute what need not be kept any longer: days of executions and comparisons as a whole, of other tables some of the oldest
 * rows at a time. Also makes tomorrow's partitions. Each replica does it; what another has deleted is not there any more.
 */
export class JournalPruning {
  readonly #options: PruningOptions
  /** made at the first round, when the newest entry is known */
  #age: AgeReference | undefined
  #timer: Timer
  #round: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: PruningOptions) {
    this.#options = options
    this.#timer = this.#in(EVERY_MS)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer.cancel()
    await this.#round
  }

  #in(delayMs: number): Timer {
    return this.#options.clock.schedule(delayMs, () => {
      this.#round = this.#prune()
    })
  }

  /** Never rejects: a fault is the next round's, and the writer tells those of the database. */
  async #prune(): Promise<void> {
    let isMore = false
    try {
      isMore = await this.#all()
    } catch {
      // Tried again in a minute.
    }
    if (!this.#stopped) this.#timer = this.#in(isMore ? PAUSE_MS : EVERY_MS)
  }

  /** @returns whether there is more to delete */
  async #all(): Promise<boolean> {
    const { clock, database, partitions, retention } = this.#options
    const [row] = await database.rows(SQL.newestAt, [])
    const newest = typeof row?.[0] === 'number' ? row[0] : undefined
    this.#age ??= new AgeReference(clock, newest)
    const now = this.#age.now(newest)
    let isMore = false
    for (const table of PLAIN_TABLES) {
      const { count, maxAgeMs } = retention[table]
      const step = table === 'contents' ? STEP_CONTENTS : STEP_ROWS
      const deleted = await database.change(PRUNE[table], [step, count, oldest(now, maxAgeMs)])
      isMore ||= deleted === step
    }
    for (const table of PARTITIONED) isMore = (await this.#prunePartitioned(table, now)) || isMore
    await database.change(SQL.forgetWriters, [Math.round(clock.wall()) - WRITER_MS])
    for (const table of PARTITIONED) await partitions.make(table, [clock.wall(), clock.wall() + DAY_MS])
    return isMore
  }

  async #prunePartitioned(table: Partitioned, now: number | undefined): Promise<boolean> {
    const { database, partitions, retention } = this.#options
    const { count, maxAgeMs } = retention[table]
    const before = oldest(now, maxAgeMs)
    await partitions.dropBefore(table, before)
    let isMore = (await database.change(OTHER[table], [before, STEP_ROWS])) === STEP_ROWS
    if (!Number.isFinite(count)) return isMore
    const [beyond] = await database.rows(BEYOND[table], [count])
    if (beyond !== undefined)
      isMore = (await database.change(UP_TO[table], [...beyond, STEP_ROWS])) === STEP_ROWS || isMore
    return isMore
  }
}

/** Wall ms; nothing is older where ages do not count now. */
const oldest = (now: number | undefined, maxAgeMs: number): number =>
  now === undefined ? Number.MIN_SAFE_INTEGER : Math.floor(now - maxAgeMs)
