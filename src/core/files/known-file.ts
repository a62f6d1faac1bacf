import { stat, statfs } from 'node:fs/promises'
import type { Clock } from '../clock.js'

/** ms a file has to be left alone before its inode tells the next change: the times of files are coarse, 4 ms on Linux */
const SETTLED_MS = 5_000
/** ms after which the file is read again, whatever its inode says: a disk that fails changes no inode */
const WHOLE_MS = 10_000
/**
 * The file systems whose inodes tell every change at once, by their numbers in `statfs` of Linux: ext, XFS, Btrfs, F2FS, ZFS, tmpfs,
 * overlayfs. One of a network may answer `stat` from its memory for a minute, but asks its server when a file is opened.
 */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630,
])

/**
 * A file that is looked at again and again and seldom changes. While its inode stays the same, one call of the system stands for
 * those that open, read and close it. In doubt it is read: on other file systems, soon after a change, and each 10 s.
 */
export class KnownFile<Content extends { readonly kind: string }> {
  #known:
    | { readonly path: string; readonly inode: string; readonly readAt: number; content: Content }
    | undefined

  /** @param now the time by which files are stamped, ms since the epoch */
  constructor(
    private readonly clock: Clock,
    private readonly now: () => number = Date.now,
  ) {}

  /** The text of before where the file is as it was, else what `read` brings; only a `text` is remembered. Rejects as `read` does. */
  async read(path: string, read: () => Promise<Content>): Promise<Content> {
    const readAt = this.clock.monotonic()
    // Before the file: what is written while it is read changes the inode once more.
    const found = await inodeOf(path)
    const known = this.#known
    if (known?.path === path && known.inode === found?.inode && readAt - known.readAt < WHOLE_MS)
      return known.content
    this.#known = undefined
    const isTold = found !== undefined && this.now() - found.changedAt >= SETTLED_MS && (await isLocal(path))
    const content = await read()
    if (isTold && content.kind === 'text') this.#known = { path, inode: found.inode, readAt, content }
    return content
  }

  /** The next look reads the file. */
  forget(): void {
    this.#known = undefined
  }
}

async function inodeOf(
  path: string,
): Promise<{ readonly inode: string; readonly changedAt: number } | undefined> {
  try {
    const { dev, ino, size, mode, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = await stat(path, { bigint: true })
    const inode = `${dev}:${ino}:${size}:${mode}:${mtimeNs}:${ctimeNs}`
    return { inode, changedAt: Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs) }
  } catch {
    return undefined
  }
}

async function isLocal(path: string): Promise<boolean> {
  try {
    return LOCAL.has((await statfs(path)).type)
  } catch {
    return false
  }
}
