/** The database cannot be opened; `message` names the file and what to do, ready to print. */
export class SqliteOpenError extends Error {
  override readonly name = 'SqliteOpenError'
}

/** Somebody else holds the lock; the same call may succeed in a moment. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error))
}

/** A fault of the disk, the file or the lock, in contrast to one of our SQL or our values. */
export function isStorageFault(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED|FULL|IOERR|CORRUPT|NOTADB|READONLY|CANTOPEN|PROTOCOL|NOMEM|PERM|AUTH|NOLFS)/.test(
    sqliteCode(error),
  )
}

/** A fault after which the connection may never work again, though the file does. */
export function isBroken(error: unknown): boolean {
  return /^SQLITE_(IOERR|CORRUPT|NOTADB|READONLY|CANTOPEN|PROTOCOL|PERM|NOLFS)/.test(sqliteCode(error))
}

function sqliteCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The fault of an opening in words for the operator who starts the service. */
export function openError(path: string, error: unknown, waitedMs: number): SqliteOpenError {
  if (error instanceof SqliteOpenError) return error
  const code = sqliteCode(error)
  const options = { cause: error }
  if (code === 'SQLITE_NOTADB')
    return new SqliteOpenError(`the file ${path} is not a SQLite database`, options)
  if (code.startsWith('SQLITE_CORRUPT')) {
    return new SqliteOpenError(
      `the database ${path} is damaged; restore it or start with another file`,
      options,
    )
  }
  if (code.startsWith('SQLITE_READONLY'))
    return new SqliteOpenError(`the database ${path} is not writable`, options)
  if (isBusy(error)) {
    return new SqliteOpenError(
      `the database ${path} is locked by another process for more than ${waitedMs / 1000} s`,
      options,
    )
  }
  if (CANNOT_OPEN.test(systemText(error))) {
    return new SqliteOpenError(
      `the database ${path} cannot be opened or made; may this user write there?`,
      options,
    )
  }
  return new SqliteOpenError(`cannot open the database ${path}: ${systemText(error)}`, options)
}

/** SQLITE_CANTOPEN (14) as libsql words it while it connects, without a code. */
const CANNOT_OPEN = /^ConnectionFailed\(.*: 14"\)$|unable to open database file/

export const systemText = (error: unknown): string => (error instanceof Error ? error.message : String(error))
