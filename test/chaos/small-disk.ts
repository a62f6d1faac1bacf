import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCode } from '../../src/core/errors.js'

/** A small file system of its own; needs the right to mount. */
export interface SmallDisk {
  readonly folder: string
  /** Not a byte is left. */
  fill(): void
  makeRoom(): void
  readOnly(isReadOnly: boolean): void
  release(): void
}

/** @param size in mount's words */
export function mountTmpfs(size = '1m'): SmallDisk | { readonly refused: string } {
  const folder = mkdtempSync(join(tmpdir(), 'chat-cutover-tmpfs-'))
  const refused = run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder])
  if (refused !== '') {
    rmSync(folder, { recursive: true, force: true })
    return { refused: `needs the right to mount a tmpfs (${refused})` }
  }
  const filler = join(folder, 'filler')
  const release = (): void => {
    process.off('exit', release)
    run('umount', ['--lazy', folder])
    rmSync(folder, { recursive: true, force: true })
  }
  process.once('exit', release)
  return {
    folder,
    fill() {
      const { bavail, bsize } = statfsSync(folder)
      try {
        writeFileSync(filler, Buffer.alloc(bavail * bsize))
      } catch (thrown) {
        // Somebody else took the last of it meanwhile.
        if (errorCode(thrown) !== 'ENOSPC') throw thrown
      }
    },
    makeRoom: () => truncateSync(filler),
    readOnly(isReadOnly) {
      const failed = run('mount', ['-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, folder])
      if (failed !== '') throw new Error(`remount: ${failed}`)
    },
    release,
  }
}

/** `""`, or why not. */
function run(command: string, args: readonly string[]): string {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error !== undefined) return error.message
  return status === 0 ? '' : stderr.trim().split('\n')[0] || `status ${status}`
}
