import { statSync } from 'node:fs'
import type Database from 'libsql'
import { isBroken } from './sqlite-errors.js'

export type Connection = InstanceType<typeof Database>

/** ms between two looks at the file, and between two tries to open it again */
const LOOK_MS = 500

/** Why there is no connection now: worded and coded as SQLite would. */
class SqliteGone extends Error {
  override readonly name = 'SqliteGone'
  readonly code = 'SQLITE_CANTOPEN'
}

/**
 * The connection to a file that may be moved away, replaced, or lost for a while. SQLite itself would go on writing to the
 * file that nobody finds any more. One that is missing is never created again here: it may come back with what is in it.
 */
export class LastingConnection {
  #connection: Connection
  /** another for each connection: statements are prepared again */
  #epoch = 0
  #identity: string | undefined
  #lookedAt = performance.now()
  #gone: SqliteGone | undefined
  #isSuspect = false
  #closed = false

  /**
   * @param file absolute; undefined for one in memory
   * @param connect opens the file once more, without waiting. Throws what SQLite does.
   */
  constructor(
    first: Connection,
    private readonly file: string | undefined,
    private readonly connect: () => Connection,
  ) {
    this.#connection = first
    this.#identity = file === undefined ? undefined : identityOf(file)
  }

  get epoch(): number {
    return this.#epoch
  }

  /** The connection to use now. @throws SqliteGone */
  current(): Connection {
    if (this.#closed) throw new SqliteGone('the database is closed')
    if (this.file === undefined) return this.#connection
    const now = performance.now()
    if (now - this.#lookedAt >= LOOK_MS && !this.#connection.inTransaction) {
      this.#lookedAt = now
      this.#look(this.file)
    }
    if (this.#gone !== undefined && !this.#connection.inTransaction) throw this.#gone
    return this.#connection
  }

  /** Told of every error: after some of them the connection is of no use any more. */
  failed(error: unknown): void {
    if (isBroken(error)) this.#isSuspect = true
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#connection.close()
  }

  #look(file: string): void {
    const identity = identityOf(file)
    if (identity === this.#identity && !this.#isSuspect) {
      this.#gone = undefined
      return
    }
    this.#gone = new SqliteGone(`the database ${file} is gone`)
    if (identity === undefined) return
    try {
      const fresh = this.connect()
      closeQuietly(this.#connection)
      this.#connection = fresh
      this.#epoch += 1
      this.#identity = identityOf(file)
      this.#isSuspect = false
      this.#gone = undefined
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      this.#gone = new SqliteGone(`the database ${file} cannot be opened again: ${text}`)
    }
  }
}

function identityOf(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file)
    return `${dev}:${ino}`
  } catch {
    return undefined
  }
}

function closeQuietly(connection: Connection): void {
  try {
    connection.close()
  } catch {
    // It is of no use any more; what it holds is freed when it is collected.
  }
}
