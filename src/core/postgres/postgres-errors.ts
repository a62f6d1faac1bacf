import { errorCode, errorText } from '../errors.js'

/** The database does not answer, or takes no writes, for now; the call may work later. */
export class PostgresUnavailable extends Error {
  override readonly name = 'PostgresUnavailable'
}

/** What only an operator can mend: a wrong password, a missing database or right, tables of a newer version. Ready to print. */
export class PostgresSetupError extends Error {
  override readonly name = 'PostgresSetupError'
}

/** codes of the system: no connection, or one that broke */
const SYSTEM =
  /^(ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENOENT|EACCES|ENETDOWN)$/
/** Classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html: no connection, shutdown, start, too many connections. */
const NO_CONNECTION = /^(08|57P0[1-5]|53300)/
/**
 * No resources (53), a cancel or a timeout (57), a fault of the system (58) or the data (XX), a lock that was not given (55P03), a
 * deadlock or lost race (40), a standby that takes no writes (25006), a transaction that idled for too long (25P03), a right (28, 42501), a
 * database (3D000) or a table (42P01) that was taken away, a statement that a pooler forgot (26000) or has of another connection (42P05).
 */
const STORAGE = /^(53|57|58|XX|55P03|40|25006|25P03|28|42501|3D000|42P01|26000|42P05)/
/** texts of `pg` for faults that have no code */
const TEXTS =
  /^(Connection terminated|Query read timeout|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed|The server does not support SSL|Cannot use a pool after calling end)/
const SETUP = /^(28|3D000|42501)/

/** Nothing comes from the server at all: what is asked of it meanwhile would only wait. */
export function isUnreachable(error: unknown): boolean {
  const code = errorCode(error)
  if (code === undefined) return TEXTS.test(errorText(error))
  return SYSTEM.test(code) || NO_CONNECTION.test(code) || /^(ERR_TLS|CERT_|DEPTH_|SELF_|UNABLE_)/.test(code)
}

/** A fault of the server, its disk or the way there, in contrast to one of our SQL or our values. */
export function isStorageFault(error: unknown): boolean {
  return (
    error instanceof PostgresUnavailable ||
    error instanceof PostgresSetupError ||
    isUnreachable(error) ||
    STORAGE.test(errorCode(error) ?? '')
  )
}

/** Refused by a rule that another writer was faster to meet. */
export const isDuplicate = (error: unknown): boolean => errorCode(error) === '23505'

/** The connection is of no more use. One to a server that takes no writes may lead to another server when it is opened again. */
export const isBroken = (error: unknown): boolean =>
  isUnreachable(error) || /^(25006|57P|26000|42P05|XX)/.test(errorCode(error) ?? '')

/** Only an operator can mend it. */
export const isSetupFault = (error: unknown): boolean =>
  error instanceof PostgresSetupError ||
  SETUP.test(errorCode(error) ?? '') ||
  poolerFault(error) === 'parameters'

/** Nothing was done, for another was in the way: the same work may be tried again at once. */
export const isLostRace = (error: unknown): boolean => /^40(001|P01)$/.test(errorCode(error) ?? '')

/** What a pooler such as PgBouncer must be told; PostgreSQL itself never fails so. */
export type PoolerFault = 'parameters' | 'statements'

export function poolerFault(error: unknown): PoolerFault | undefined {
  const code = errorCode(error)
  if (code === '26000' || code === '42P05') return 'statements'
  return code === '08P01' && /unsupported startup parameter/i.test(errorText(error))
    ? 'parameters'
    : undefined
}

/** What to do, in words for the operator. */
export const POOLER_ADVICE: Readonly<Record<PoolerFault, string>> = {
  parameters:
    'Name statement_timeout, lock_timeout and idle_in_transaction_session_timeout in ignore_startup_parameters of PgBouncer (docs/postgres.md)',
  statements:
    'Give PgBouncer pool_mode session, or version 1.21 or later and max_prepared_statements (docs/postgres.md)',
}

/** What it is about and, of a pooler, what to do, in one line. A failed connection to several addresses has no text of its own. */
export function faultText(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(errorText).join('; ')
  const fault = poolerFault(error)
  return fault === undefined ? errorText(error) : `${errorText(error)}. ${POOLER_ADVICE[fault]}`
}
