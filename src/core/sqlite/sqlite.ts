import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import Database from 'libsql'
import { type Connection, LastingConnection } from './sqlite-connection.js'
import { isBusy, openError, SqliteOpenError, systemText } from './sqlite-errors.js'

/** What goes into and comes out of a statement. No booleans: libsql panics on them. */
export type SqlValue = string | number | null
export type SqlRow = readonly SqlValue[]

/** A prepared statement; parameters by position. Throws libsql's `SqliteError` (a `code` like `SQLITE_FULL`). */
export interface SqlStatement {
  /** Gives the number of rows changed. Outside a transaction the statement is a transaction of its own. */
  run(...values: SqlValue[]): number
  /** the first row */
  get(...values: SqlValue[]): SqlRow | undefined
  all(...values: SqlValue[]): SqlRow[]
}

export interface SqliteDatabase {
  /** A statement that writes and gives rows (`RETURNING`) may be used within a transaction only. */
  prepare(sql: string): SqlStatement
  exec(sql: string): void
  /**
   * All of `work` or nothing, the write lock taken first: a lock held elsewhere throws `SQLITE_BUSY` before anything
   * was done, so the caller may simply try again.
   */
  transaction<T>(work: () => T): T
  /** Reads of one instant, whatever others write meanwhile; takes no lock. */
  snapshot<T>(work: () => T): T
  /**
   * Empties the write-ahead log where nobody reads or writes (for a moment of quiet); does nothing if somebody does, or
   * where it is empty already. Waits at most as long as any call.
   */
  truncateLog(): void
  /** Copies the write-ahead log back into the file, as far as nobody reads it; for a moment in which nobody waits. */
  copyLogBack(): void
  /**
   * Gives free pages back to the file system, a few, where more than a tenth of the file is free (for a moment of quiet). Does nothing with
   * files of earlier versions, which keep free pages for themselves.
   */
  giveBackPages(): void
  close(): void
}

/** The tables one room keeps in the file, as the list of its migrations: version n is what the first n scripts made. */
export interface SqliteSchema {
  readonly room: string
  readonly migrations: readonly string[]
}

// A start may wait this long for another replica that is just creating the same file.
const OPEN_DEADLINE_MS = 5_000
const OPEN_PAUSE_MS = 10

/**
 * ms a call may block the event loop for a lock held elsewhere. Others hold it for one short transaction (below 0.1 ms,
 * a few ms where it copies the log back); work that meets a lock is tried again asynchronously (busy-queue.ts).
 */
const BUSY_TIMEOUT_MS = 5

/** bytes the write-ahead log keeps when it starts over: its usual size, a thousand pages */
const LOG_BYTES = 4_194_304
/** pages of the log at which a commit copies it back itself, with two syncs of the disk: twice SQLite's own, for others do it before */
const COMMIT_COPIES_PAGES = 2_000

/**
 * Opens the file (or `:memory:`), creating it and its directory, and brings the room's tables up to date.
 * Blocks while it works: for the start of a process, not for a request.
 * The file must lie on a local disk (WAL needs shared memory) and several processes of one machine may share it.
 * @throws SqliteOpenError
 */
export function openSqlite(path: string, schema: SqliteSchema): SqliteDatabase {
  const inMemory = path === ':memory:'
  // Absolute, so that libsql never takes it for the address of a server.
  const file = inMemory ? path : resolve(path)
  if (!inMemory) checkPath(file)
  try {
    const connection = connect(file, schema, OPEN_DEADLINE_MS)
    return wrap(
      new LastingConnection(connection, inMemory ? undefined : file, () => connect(file, schema, 0)),
    )
  } catch (error) {
    throw openError(file, error, OPEN_DEADLINE_MS)
  }
}

/** Whether a file that is there has such a table; changes nothing in it. @throws SqliteOpenError */
export function hasTable(path: string, table: string): boolean {
  const file = resolve(path)
  try {
    return tablesOf(file).includes(table)
  } catch (error) {
    throw openError(file, error, OPEN_DEADLINE_MS)
  }
}

/** On a connection of its own, so that a statement that met a lock ends with it. */
function tablesOf(file: string): string[] {
  const connection = new Database(file, { readonly: true, timeout: BUSY_TIMEOUT_MS })
  try {
    return connection
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .raw()
      .all([])
      .flatMap((row) => (Array.isArray(row) ? [String(row[0])] : []))
  } finally {
    connection.close()
  }
}

function connect(file: string, schema: SqliteSchema, waitMs: number): Connection {
  if (file !== ':memory:' && existsSync(file)) retryWhileBusy(() => refuseForeign(file), waitMs)
  const connection = retryWhileBusy(() => new Database(file, { timeout: BUSY_TIMEOUT_MS }), waitMs)
  try {
    const database = wrap(new LastingConnection(connection, undefined, () => connection))
    retryWhileBusy(() => configure(connection, file, file === ':memory:'), waitMs)
    retryWhileBusy(() => migrate(database, file, schema), waitMs)
    return connection
  } catch (error) {
    attempt(() => connection.close())
    throw error
  }
}

function checkPath(file: string): void {
  const directory = dirname(file)
  try {
    mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw new SqliteOpenError(`cannot create the directory of the database ${file}: ${systemText(error)}`)
  }
  // SQLite keeps two files beside it (-wal, -shm), so the directory matters as much as the file.
  if (!mayWrite(directory)) throw new SqliteOpenError(`the directory of the database ${file} is not writable`)
  if (!existsSync(file)) return
  if (statSync(file).isDirectory()) throw new SqliteOpenError(`the database ${file} is a directory`)
  if (!mayWrite(file)) throw new SqliteOpenError(`the database ${file} is not writable`)
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

function configure(connection: Connection, path: string, inMemory: boolean): void {
  // Of a new file alone, and before anything is in it: pages that were freed can be given back a few at a time.
  connection.exec('PRAGMA auto_vacuum = INCREMENTAL')
  const mode = connection.prepare('PRAGMA journal_mode = WAL').raw().get([])
  if (!inMemory && String(mode) !== 'wal') {
    throw new SqliteOpenError(`the file system of the database ${path} does not support write-ahead logging`)
  }
  // NORMAL writes to the log at each commit and syncs it only when the log is copied back: a killed or crashed process
  // loses nothing, a power cut or a crashed kernel may take back the last commits (never half of one, never the file).
  // FULL would cost an fsync of the event loop's time at each step of each turn.
  connection.exec('PRAGMA synchronous = NORMAL')
  // What is deleted is overwritten: answers whose days are over are not to be found in the file's free pages.
  connection.exec('PRAGMA secure_delete = ON')
  // One large burst must not leave the log that large for ever: a log that starts over is cut to this.
  connection.exec(`PRAGMA journal_size_limit = ${LOG_BYTES}`)
  connection.exec(`PRAGMA wal_autocheckpoint = ${COMMIT_COPIES_PAGES}`)
}

/** A file of another program stays as it is: before anything is set or made in it. @throws SqliteOpenError */
function refuseForeign(path: string): void {
  const tables = tablesOf(path)
  const [first] = tables
  if (first === undefined || tables.includes('schema_versions')) return
  throw new SqliteOpenError(
    `the database ${path} belongs to another program: it has the table ${first}; start with another file`,
  )
}

/**
 * One version a room, not `user_version`: the rooms that share the file grow independently of each other.
 * `SqliteOpenError` passes through; the whole of it is one transaction.
 */
function migrate(database: SqliteDatabase, path: string, { room, migrations }: SqliteSchema): void {
  database.transaction(() => {
    database.exec(
      'CREATE TABLE IF NOT EXISTS schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT',
    )
    const row = database.prepare('SELECT version FROM schema_versions WHERE room = ?').get(room)
    const version = Number(row?.[0] ?? 0)
    if (version > migrations.length) {
      throw new SqliteOpenError(
        `the database ${path} was written by a newer version of this service ` +
          `(${room}: schema ${version}, known up to ${migrations.length}); start that version or another file`,
      )
    }
    for (const script of migrations.slice(version)) database.exec(script)
    // Also if nothing is new: a file that cannot be written shows at the start, not at the first turn.
    database.prepare('INSERT OR REPLACE INTO schema_versions VALUES (?, ?)').run(room, migrations.length)
  })
}

function retryWhileBusy<T>(work: () => T, waitMs: number): T {
  const deadline = performance.now() + waitMs
  for (;;) {
    try {
      return work()
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS)
    }
  }
}

function wrap(lasting: LastingConnection): SqliteDatabase {
  const checkpoint = (mode: 'PASSIVE' | 'TRUNCATE'): void =>
    attempt(() => lasting.current().exec(`PRAGMA wal_checkpoint(${mode})`))
  return {
    prepare: (sql) => prepare(lasting, sql),
    exec: (sql) => {
      lasting.current().exec(sql)
    },
    transaction: (work) => within(lasting, 'BEGIN IMMEDIATE', work),
    snapshot: (work) => within(lasting, 'BEGIN', work),
    truncateLog: () => checkpoint('TRUNCATE'),
    copyLogBack: () => checkpoint('PASSIVE'),
    giveBackPages: () => attempt(() => giveBackPages(lasting.current())),
    close() {
      // Prepared statements keep libsql's connection alive until they are collected, so the log is emptied here.
      checkpoint('TRUNCATE')
      lasting.close()
    },
  }
}

/**
 * All of `work` or nothing. Nothing that may meet a lock is a prepared statement: libsql leaves one that was busy in progress until it runs
 * again, and as long as it is, this connection commits nothing and may keep the lock away from everybody.
 */
function within<T>(lasting: LastingConnection, begin: 'BEGIN' | 'BEGIN IMMEDIATE', work: () => T): T {
  execute(lasting, begin)
  try {
    const result = work()
    execute(lasting, 'COMMIT')
    return result
  } catch (error) {
    rollback(lasting.current())
    throw error
  }
}

function execute(lasting: LastingConnection, sql: string): void {
  try {
    lasting.current().exec(sql)
  } catch (error) {
    lasting.failed(error)
    throw error
  }
}

/** pages of one call: about 10 ms */
const GIVEN_BACK = 1_000

function giveBackPages(connection: Connection): void {
  const count = (name: string): number => Number(connection.prepare(`PRAGMA ${name}`).raw().get([]))
  if (count('freelist_count') * 10 > count('page_count'))
    connection.exec(`PRAGMA incremental_vacuum(${GIVEN_BACK})`)
}

/** Some faults (a full disk) have rolled back already; the error of the work is the one that counts. */
function rollback(connection: Connection): void {
  if (connection.inTransaction) attempt(() => connection.exec('ROLLBACK'))
}

function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // the caller has a better error to tell, or nothing more to do
  }
}

/**
 * Rows as arrays: as objects they carry a `_metadata` column of libsql's own. Values go in as one array, for a lone
 * `null` would be taken for a bag of named parameters. Never an iterator left half-way: it pins its read transaction
 * and fails every later write with SQLITE_BUSY_SNAPSHOT.
 */
function prepare(lasting: LastingConnection, sql: string): SqlStatement {
  const make = (connection: Connection) => {
    const statement = connection.prepare(sql)
    if (statement.reader) statement.raw(true)
    return statement
  }
  let statement = make(lasting.current())
  let epoch = lasting.epoch
  const use = <T>(work: (prepared: ReturnType<typeof make>) => T): T => {
    try {
      const connection = lasting.current()
      if (epoch !== lasting.epoch) {
        statement = make(connection)
        epoch = lasting.epoch
      }
      return work(statement)
    } catch (error) {
      lasting.failed(error)
      throw error
    }
  }
  const run = (values: SqlValue[]): number => use((prepared) => prepared.run(values).changes)
  return {
    run: (...values) =>
      lasting.current().inTransaction ? run(values) : within(lasting, 'BEGIN IMMEDIATE', () => run(values)),
    get: (...values) => use((prepared) => row(prepared.get(values))),
    all: (...values) => use((prepared) => prepared.all(values).map((value) => row(value) ?? [])),
  }
}

function row(value: unknown): SqlRow | undefined {
  return Array.isArray(value) ? value : undefined
}
