import { errorCode, errorText } from '../core/errors.js'
import { MAX_FILE_BYTES } from '../core/files/read-file.js'
import type { FlagStoreFault } from './flag-store.js'

/** Thrown within the store alone; outside faults are values. */
export class FlagStoreFailure extends Error {
  override readonly name = 'FlagStoreFailure'

  constructor(readonly fault: FlagStoreFault) {
    super(fault.message)
  }
}

export type StoreAction = 'read' | 'write'

/** How messages call the file, and the variable that names it. */
export interface StoreNames {
  readonly what: string
  readonly variable: string
}

export const OVERRIDE_NAMES: StoreNames = { what: 'the override', variable: 'CHAT_FALLBACK_FLAGS_FILE' }
export const OPS_NAMES: StoreNames = { what: "the operators' flags", variable: 'CHAT_FLAGS_FILE' }

/** The fault for anything thrown on the way to `path`: what is wrong, where, and what to do. */
export function flagStoreFault(
  thrown: unknown,
  action: StoreAction,
  path: string,
  names: StoreNames = OVERRIDE_NAMES,
): FlagStoreFault {
  if (thrown instanceof FlagStoreFailure) return thrown.fault
  const code = errorCode(thrown) ?? 'unknown'
  const message = `cannot ${action} ${path}: ${advice(code, action, names) ?? errorText(thrown)} (${code})`
  return { code, message }
}

function advice(code: string, action: StoreAction, { what, variable }: StoreNames): string | undefined {
  switch (code) {
    case 'EROFS':
      return `the file system is read-only; give ${what} a directory that can be written`
    case 'EACCES':
    case 'EPERM':
      return action === 'read'
        ? 'permission denied; let this process read the file and enter its directory'
        : 'permission denied; let this process write into the directory, not only the file'
    case 'ENOSPC':
      return 'no space (or no inodes) left on the device; free some'
    case 'EDQUOT':
      return 'the disk quota is used up; free some space or raise it'
    case 'ENOENT':
      return `there is no such directory; create it, or correct ${variable}`
    case 'ENOTDIR':
      return `a part of its path is no directory; correct ${variable}`
    case 'EISDIR':
      return `it is no file; correct ${variable}`
    case 'EFBIG':
      return `it is larger than ${MAX_FILE_BYTES} bytes; something else wrote into it`
    case 'ELOOP':
      return 'its symbolic links lead in a circle'
    case 'EBUSY':
      return 'it is mounted as a single file; mount its directory instead'
    case 'EXDEV':
      return 'it is mounted apart from its directory; mount the directory instead'
    case 'EMFILE':
    case 'ENFILE':
      return 'too many open files; raise the limit'
    case 'EIO':
    case 'ESTALE':
      return 'the disk or the network file system fails; look at the system log'
    default:
      return undefined
  }
}

/** The content is ours: nothing was written. */
export function tooLargeToWrite(
  path: string,
  limit: number,
  { what }: StoreNames = OVERRIDE_NAMES,
): FlagStoreFault {
  const remedy = what === OVERRIDE_NAMES.what ? 'reset it, or name fewer orgs' : 'name fewer orgs'
  const message = `cannot write ${path}: ${what} would be larger than ${limit} bytes; ${remedy} (EFBIG)`
  return { code: 'EFBIG', message }
}

export function noAnswer(action: StoreAction, path: string, deadlineMs: number): FlagStoreFault {
  const message = `cannot ${action} ${path}: the file system did not answer within ${deadlineMs} ms; look at its mount (ETIMEDOUT)`
  return { code: 'ETIMEDOUT', message }
}

/** `holder` is what is known about the lock's owner. */
export function lockTimeout(path: string, holder: string, waitedMs: number): FlagStoreFault {
  const message = `cannot write: ${path} was held by ${holder} for ${waitedMs} ms; it is broken by itself when that process is gone or nothing changes in it for 10 s (lock_timeout)`
  return { code: 'lock_timeout', message }
}

export function flagStoreClosed(path: string): FlagStoreFault {
  return { code: 'closed', message: `the flag store of ${path} is closed` }
}

/** An engine on another machine, or the way to it. */
export function documentLate(action: StoreAction, where: string, deadlineMs: number): FlagStoreFault {
  const message = `cannot ${action} ${where}: no answer within ${deadlineMs} ms; look at the server and the network (ETIMEDOUT)`
  return { code: 'ETIMEDOUT', message }
}

export function documentBusy(action: StoreAction, where: string, calls: number): FlagStoreFault {
  const message = `cannot ${action} ${where}: ${calls} calls wait for an answer already; look at the server and the network (busy)`
  return { code: 'busy', message }
}
