import { stat, statfs } from 'node:fs/promises'
import type { Clock } from '../clock.js'
import { errorCode } from '../errors.js'

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
  /** the device that is not known to tell every change */
  #foreign: bigint | undefined

  /** @param now the time by which files are stamped, ms since the epoch */
  constructor(
    private readonly clock: Clock,
    private readonly now: () => number = Date.now,
  ) {}

  /**
   * The text of before where the file is as it was, else what `read` brings; only a `text` is remembered. Rejects as `read` does.
   * @param missing the answer where there is no such file; default: `read` finds out
   */
  async read(path: string, read: () => Promise<Content>, missing?: Content): Promise<Content> {
    const readAt = this.clock.monotonic()
    // Before the file: what is written while it is read changes the inode once more.
    const found = await look(path)
    const known = this.#known
    if (found.kind === 'inode' && known?.path === path && known.inode === found.inode)
      if (readAt - known.readAt < WHOLE_MS) return known.content
    this.#known = undefined
    if (found.kind === 'missing' && missing !== undefined) return missing
    const inode = found.kind === 'inode' && (await this.#tellsChanges(path, found)) ? found.inode : undefined
    const content = await read()
    if (inode !== undefined && content.kind === 'text') this.#known = { path, inode, readAt, content }
    return content
  }

  /** Whether its inode stands for it now. */
  get isKnown(): boolean {
    return this.#known !== undefined
  }

  /** The next look reads the file. */
  forget(): void {
    this.#known = undefined
  }

  async #tellsChanges(path: string, { changedAt, device }: Inode): Promise<boolean> {
    if (this.now() - changedAt < SETTLED_MS || device === this.#foreign) return false
    const isTold = await isLocal(path)
    if (!isTold) this.#foreign = device
    return isTold
  }
}

interface Inode {
  readonly kind: 'inode'
  readonly inode: string
  readonly device: bigint
  /** ms since the epoch */
  readonly changedAt: number
}

type Look = Inode | { readonly kind: 'missing' | 'failed' }

async function look(path: string): Promise<Look> {
  try {
    const { dev, ino, size, mode, mtimeNs, ctimeNs, mtimeMs, ctimeMs } = await stat(path, { bigint: true })
    const inode = `${dev}:${ino}:${size}:${mode}:${mtimeNs}:${ctimeNs}`
    return { kind: 'inode', inode, device: dev, changedAt: Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs) }
  } catch (thrown) {
    return { kind: errorCode(thrown) === 'ENOENT' ? 'missing' : 'failed' }
  }
}

async function isLocal(path: string): Promise<boolean> {
  try {
    return LOCAL.has((await statfs(path)).type)
  } catch {
    return false
  }
}
