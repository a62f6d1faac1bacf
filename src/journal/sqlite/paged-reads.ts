import type { Clock } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import type { BusyQueue } from '../../core/sqlite/busy-queue.js'
import { databaseQueue } from '../../core/sqlite/database-queue.js'
import type { SqlRow } from '../../core/sqlite/sqlite.js'
import { JournalUnavailable } from '../journal.js'

export interface PagedReadsOptions {
  readonly clock: Clock
  /** A read failed, after others had worked. */
  onFault(error: unknown): void
}

/** Rows read a page at a time. */
export interface Pages<T> {
  readonly start: number
  readonly limit: number
  page(cursor: number, size: number): SqlRow[]
  /** the place behind which the next page begins */
  cursor(row: SqlRow): number
  /** undefined for a row to be passed over */
  parse(row: SqlRow): T | undefined
}

/** rows of one read */
export const PAGE_ROWS = 100
const READ_DEADLINE_MS = 2_000
const MAX_READS_WAITING = 100

/** Reads in pages: the event loop has its turn between two of them. All of them throw JournalUnavailable. */
export class PagedReads {
  readonly #options: PagedReadsOptions
  readonly #queue: BusyQueue
  #readable = true
  #closed = false

  constructor(options: PagedReadsOptions) {
    this.#options = options
    this.#queue = databaseQueue(options.clock, {
      deadlineMs: READ_DEADLINE_MS,
      maxWaiting: MAX_READS_WAITING,
    })
  }

  close(): void {
    this.#closed = true
    this.#queue.close()
  }

  async once<T>(work: () => T): Promise<T> {
    try {
      const result = await this.#queue.run(work, true)
      this.#readable = true
      return result
    } catch (error) {
      if (this.#closed) throw new JournalUnavailable('the journal is closed', { cause: error })
      if (this.#readable) this.#options.onFault(error)
      this.#readable = false
      throw new JournalUnavailable(`the journal cannot be read: ${errorText(error)}`, { cause: error })
    }
  }

  async rows<T>({ start, limit, page, cursor, parse }: Pages<T>): Promise<T[]> {
    const all: T[] = []
    for (let from = start, left = limit; ; ) {
      const size = Math.min(PAGE_ROWS, left)
      const rows = await this.once(() => page(from, size))
      all.push(...rows.flatMap((row) => parse(row) ?? []))
      left -= rows.length
      const last = rows.at(-1)
      if (last === undefined || rows.length < size || left <= 0) return all
      from = cursor(last)
      await breath()
    }
  }

  /** Pages that each tell where they end; the last one does not. */
  async *lists<T, P>(
    page: (after: P | undefined) => { readonly items: readonly T[]; readonly end?: P },
  ): AsyncGenerator<readonly T[]> {
    for (let after: P | undefined; ; await breath()) {
      const from = after
      const { items, end } = await this.once(() => page(from))
      yield items
      if (end === undefined) return
      after = end
    }
  }
}

const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
