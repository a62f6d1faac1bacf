import { constants, copyFile, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errorCode } from '../../core/errors.js'
import { isExpected } from '../content.js'
import type { Expected, Stored } from '../flag-store.js'
import type { StoreNames } from '../store-fault.js'
import { hardLink } from './hard-link.js'
import { readStored } from './read-file.js'
import type { Gate } from './steps.js'

const NEW_FILE_MODE = 0o644
const PERMISSIONS = 0o7777

export interface Replacement {
  readonly path: string
  readonly text: string
  /** what was read under the lock */
  readonly expected: Expected
  /** a name beside `path` that nobody else uses */
  readonly temporary: string
  /** keeps what is replaced under this name */
  readonly aside?: string
  readonly gate: Gate
  readonly names?: StoreNames
  /** asked at the last moment */
  readonly isOurs: () => Promise<boolean>
}

export type Replaced = { readonly kind: 'replaced' } | { readonly kind: 'changed'; readonly stored: Stored }

/**
 * The text takes the file's place whole or not at all, also when the power goes: temporary file beside it, synced, then a
 * rename, then the directory synced. Mode and owner stay. What changed since it was read (an editor takes no lock) stays.
 *
 * @throws the system's errors, GivenUp; the temporary file is gone then
 */
export async function replaceFile(replacement: Replacement): Promise<Replaced> {
  const { path, temporary, gate, expected, isOurs, names } = replacement
  try {
    await writeTemporary(replacement)
    await gate('check', path)
    const stored = await readStored(path, names)
    if (!isExpected(stored, expected) || !(await isOurs())) return { kind: 'changed', stored }
    if (!(await takePlace(replacement))) return { kind: 'changed', stored: await readStored(path, names) }
  } finally {
    await discard(temporary)
  }
  await gate('directory_sync', path).then(() => syncDirectory(dirname(path)))
  return { kind: 'replaced' }
}

async function writeTemporary({ path, text, temporary, gate }: Replacement): Promise<void> {
  const present = await stat(path).catch(() => undefined)
  const mode = (present?.mode ?? NEW_FILE_MODE) & PERMISSIONS
  await gate('temp_open', temporary)
  const file = await open(temporary, 'wx', mode)
  try {
    await gate('temp_write', temporary)
    await file.writeFile(text)
    // only root may give a file away; for all others it is theirs already or cannot be
    if (present !== undefined) await file.chown(present.uid, present.gid).catch(() => undefined)
    // after the owner, which clears bits; and the mode above went through the umask
    await file.chmod(mode)
    await gate('temp_sync', temporary)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** False if a file is there by now that was missing. */
async function takePlace({ path, expected, temporary, aside, gate }: Replacement): Promise<boolean> {
  if (aside !== undefined && expected !== 'missing') {
    await gate('keep_aside', aside)
    await copyAside(path, aside)
  }
  try {
    await gate('rename', path)
    if (expected === 'missing') return await putNew(temporary, path)
    await rename(temporary, path)
    return true
  } catch (thrown) {
    if (aside !== undefined) await discard(aside)
    throw thrown
  }
}

/** A second name for the same bytes needs no space, and the rename leaves it alone. */
async function copyAside(path: string, aside: string): Promise<void> {
  if ((await hardLink(path, aside)) !== 'linked') await copyFile(path, aside, constants.COPYFILE_EXCL)
}

/** False if something is there by now. */
async function putNew(temporary: string, path: string): Promise<boolean> {
  const result = await hardLink(temporary, path)
  if (result === 'unsupported') await rename(temporary, path)
  return result !== 'exists'
}

async function discard(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch {
    // Gone already, or it will be found by its name and its age.
  }
}

/** codes by which systems say that a directory cannot be synced, and needs not be */
const NO_DIRECTORY_SYNC = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM', 'EISDIR', 'EACCES', 'EBADF'])

async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (thrown) {
    if (!NO_DIRECTORY_SYNC.has(errorCode(thrown) ?? '')) throw thrown
  }
}
