import { realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { errorCode } from '../../core/errors.js'
import { pathSteps } from '../../core/files/symlinks.js'

/** The real places of the files that replicas share; all are in the directory of the real override file. */
export interface StoreFiles {
  readonly directory: string
  readonly override: string
  readonly lease: string
  readonly lock: string
  /** what all names of temporary files begin with */
  readonly stem: string
}

/** Of what file the lease is: `override` has `<stem>.lease.json`, any other `<stem>.<name>.lease.json`. */
export type LeaseName = 'override' | 'rollout'

/**
 * Follows symbolic links to the file itself: replicas that reach it by different paths share one lock, and a write
 * replaces the file and leaves the link. The override `auto-fallback.flagd.json` has its lease in
 * `auto-fallback.lease.json`.
 *
 * @throws the system's error where the directory is missing or may not be entered
 */
export async function storeFiles(path: string, leaseName: LeaseName = 'override'): Promise<StoreFiles> {
  const override = await realFile(resolve(path))
  const directory = dirname(override)
  const stem = basename(override).replace(/(\.flagd)?(\.json)?$/, '') || basename(override)
  const lease = join(
    directory,
    leaseName === 'override' ? `${stem}.lease.json` : `${stem}.${leaseName}.lease.json`,
  )
  return { directory, override, lease, lock: join(directory, `${stem}.lock`), stem }
}

/** As `realpath`, also if the last link leads to a file that is not there yet. */
async function realFile(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (thrown) {
    if (errorCode(thrown) !== 'ENOENT') throw thrown
    const last = (await pathSteps(path)).at(-1)
    if (last === undefined) throw thrown
    return join(await realpath(last.directory), last.name)
  }
}
