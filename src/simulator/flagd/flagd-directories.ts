import { type FSWatcher, lstatSync, readlinkSync, type Stats, statSync, watch } from 'node:fs'
import { join, parse, resolve, sep } from 'node:path'

// Linux gives up at 40 links as well (ELOOP).
const MAX_LINKS = 40

/**
 * Every directory in which something can happen that changes what `file` reads: the one it lies in and, where a link
 * leads there (a ConfigMap's `..data`), the ones that hold the links. Ends at the deepest directory that exists.
 */
export function directoriesOf(file: string): Set<string> {
  const directories = new Set<string>()
  let rest = partsOf(resolve(file))
  let current = parse(resolve(file)).root
  for (let links = 0; rest.length > 0; ) {
    const [part = '', ...behind] = rest
    const next = join(current, part)
    const link = linkTarget(next)
    if (behind.length === 0 || link !== undefined) directories.add(current)
    if (link === undefined || ++links > MAX_LINKS) {
      if (behind.length > 0 && !isDirectory(next)) return directories.add(current)
      current = next
      rest = behind
    } else {
      const target = resolve(current, link)
      current = parse(target).root
      rest = [...partsOf(target), ...behind]
    }
  }
  return directories
}

const partsOf = (path: string) =>
  path
    .split(sep)
    .slice(1)
    .filter((part) => part !== '')

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined
  } catch {
    return undefined
  }
}

const isDirectory = (path: string) => statOf(path)?.isDirectory() === true

interface Watched {
  readonly inode: number
  readonly watcher: FSWatcher
}

/** Watches a changing set of directories; every event in any of them calls `onEvent`. */
export class DirectoryWatch {
  readonly #watched = new Map<string, Watched>()
  readonly #onEvent: () => void

  constructor(onEvent: () => void) {
    this.#onEvent = onEvent
  }

  /** Watches exactly these from now on. A directory made again under its old name is watched again. */
  cover(directories: ReadonlySet<string>): void {
    for (const [directory, { inode }] of this.#watched) {
      if (!directories.has(directory) || inodeOf(directory) !== inode) this.#drop(directory)
    }
    for (const directory of directories) if (!this.#watched.has(directory)) this.#add(directory)
  }

  close(): void {
    this.cover(new Set())
  }

  #add(directory: string): void {
    const inode = inodeOf(directory)
    if (inode === undefined) return
    try {
      const watcher = watch(directory, () => this.#onEvent())
      watcher.on('error', () => this.#drop(directory))
      this.#watched.set(directory, { inode, watcher })
    } catch {
      // gone since we looked: the event in its parent brings us back here
    }
  }

  #drop(directory: string): void {
    this.#watched.get(directory)?.watcher.close()
    this.#watched.delete(directory)
  }
}

const inodeOf = (directory: string) => statOf(directory)?.ino

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}
