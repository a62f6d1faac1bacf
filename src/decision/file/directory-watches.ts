import { type FSWatcher, watch } from 'node:fs'
import type { WatchPoint } from './watch-points.js'

/** The directories under watch for one file; `onChange` hears of the wanted names alone (a database may live beside). */
export class DirectoryWatches {
  readonly #watched = new Map<string, { watcher: FSWatcher; names: ReadonlySet<string> }>()
  #wanted = 0

  constructor(private readonly onChange: () => void) {}

  /** Whether all that was asked for is watched. */
  get areWhole(): boolean {
    return this.#watched.size === this.#wanted
  }

  /** Watches exactly `points` from now on. A directory that cannot be watched is tried again at the next call. */
  follow(points: readonly WatchPoint[]): void {
    const wanted = new Map<string, { directory: string; names: Set<string> }>()
    for (const { identity, directory, name } of points) {
      const entry = wanted.get(identity) ?? { directory, names: new Set() }
      wanted.set(identity, entry)
      entry.names.add(name)
    }
    this.#wanted = wanted.size
    for (const identity of this.#watched.keys()) if (!wanted.has(identity)) this.#drop(identity)
    for (const [identity, { directory, names }] of wanted) {
      const known = this.#watched.get(identity)
      if (known !== undefined) known.names = names
      else this.#add(identity, directory, names)
    }
  }

  close(): void {
    for (const identity of [...this.#watched.keys()]) this.#drop(identity)
  }

  #add(identity: string, directory: string, names: ReadonlySet<string>): void {
    try {
      const watcher = watch(directory, { persistent: false })
      const entry = { watcher, names }
      watcher.on('change', (_, filename) => {
        // Some systems name no file; then any may be ours.
        if (filename === null || entry.names.has(String(filename))) this.onChange()
      })
      // A watch that broke is set up again by the next look; until then the poll sees changes.
      watcher.on('error', () => this.#drop(identity))
      this.#watched.set(identity, entry)
    } catch {
      // No such directory, or no watches left on this system: the poll sees changes.
    }
  }

  #drop(identity: string): void {
    this.#watched.get(identity)?.watcher.close()
    this.#watched.delete(identity)
  }
}
