import { readdir, stat, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { StoreFiles } from './store-files.js'

/** no write takes so long: what is older was left by a process that was killed (ms) */
const LEFT_AFTER_MS = 60_000
/** copies of unreadable files that are kept */
const KEPT_ASIDE = 5

const ASIDE = '.unreadable-'
/** in the names of temporary files: an editor may have some of its own beside ours */
const TEMPORARY = '.cutover-'

export function asidePath(path: string, wall: number): string {
  return `${path}${ASIDE}${new Date(wall).toISOString().replaceAll(/[-:.]/g, '')}`
}

export function temporaryPath(path: string, token: string): string {
  return `${path}${TEMPORARY}${token}`
}

/**
 * Removes what killed writers left and all but the newest copies kept aside, by name and by age. Called with the lock
 * held; `now` is the age of a file just written, for the file system's clock need not be ours. Never throws.
 */
export async function removeLeftovers(files: StoreFiles, now: number): Promise<void> {
  try {
    const names = await readdir(files.directory)
    const left = names.filter((name) => isOurs(name, files))
    for (const name of left) await removeOld(join(files.directory, name), now)
    const asides = names.filter((name) => name.startsWith(`${basename(files.override)}${ASIDE}`)).sort()
    for (const name of asides.slice(0, -KEPT_ASIDE)) await unlink(join(files.directory, name))
  } catch {
    // The next write tries again.
  }
}

/** Temporary files, tickets and claims; never the lock itself, which is broken by its own rules. */
function isOurs(name: string, { override, lease, lock }: StoreFiles): boolean {
  const beginnings = [override, lease].map((file) => `${basename(file)}${TEMPORARY}`)
  return [...beginnings, `${basename(lock)}.`].some((beginning) => name.startsWith(beginning))
}

async function removeOld(path: string, now: number): Promise<void> {
  const found = await stat(path)
  if (found.isFile() && now - found.mtimeMs > LEFT_AFTER_MS) await unlink(path)
}
