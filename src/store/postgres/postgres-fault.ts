import { errorCode } from '../../core/errors.js'
import { faultText } from '../../core/postgres/postgres-errors.js'
import type { FlagStoreFault } from '../flag-store.js'
import type { StoreAction } from '../store-fault.js'

/** What is wrong and what to do, by the codes of PostgreSQL (five characters) and of the system. */
const ADVICE: Readonly<Record<string, string>> = {
  '25006': 'the server is read-only (a standby?); name the primary in CHAT_FLAG_STORE',
  '28000': 'the server refuses this user; correct CHAT_FLAG_STORE, or pg_hba.conf of the server',
  '28P01': 'the server refuses the password; correct CHAT_FLAG_STORE',
  '3D000': 'there is no such database; create it, or correct CHAT_FLAG_STORE',
  '3F000': 'there is no schema to create the tables in; create it, or correct the search path',
  '42501': 'this user may not do that; grant it the tables flag_documents and flag_documents_aside',
  '53100': 'no space left on the disk of the server; free some',
  '53300': 'the server takes no more connections; raise max_connections, or put a pooler before it',
  '57014': 'the server ended the statement at its time limit; look at its load and its locks',
  '57P01': 'the server is shutting down; it is tried again',
  '57P03': 'the server is starting or stopping; it is tried again',
  ECONNREFUSED: 'nothing listens there; start the server, or correct CHAT_FLAG_STORE',
  ECONNRESET: 'the server ended the connection; it is tried again',
  ENOTFOUND: 'the host has no address; correct CHAT_FLAG_STORE',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  EFBIG: 'it is larger than 4 MiB; something else wrote into it',
}

/** The message is the server's own where there is no advice; it carries neither password nor content. */
export function postgresFault(thrown: unknown, action: StoreAction, where: string): FlagStoreFault {
  const code = errorCode(thrown) ?? 'unknown'
  return { code, message: `cannot ${action} ${where}: ${ADVICE[code] ?? faultText(thrown)} (${code})` }
}
