import { isDeepStrictEqual } from 'node:util'
import type { SourceFlag } from './flagd-source.js'

/** What an event stream says of one flag; the words are flagd's. */
export type FlagChange = 'write' | 'update' | 'delete'

interface StoredFlag extends SourceFlag {
  readonly source: string
}

/**
 * All flags of all sources. As in flagd one key is held once: of two sources the later one wins, and what it
 * takes away again stays missing until the earlier source is read again.
 */
export class FlagdStore {
  readonly #sources: readonly string[]
  readonly #flags = new Map<string, StoredFlag>()

  /** `sources` in rising priority */
  constructor(sources: readonly string[]) {
    this.#sources = sources
  }

  /** Takes all flags of one source and says what became different. */
  update(source: string, flags: ReadonlyMap<string, SourceFlag>): ReadonlyMap<string, FlagChange> {
    const changes = new Map<string, FlagChange>()
    for (const [key, stored] of this.#flags) {
      if (stored.source !== source || flags.has(key)) continue
      this.#flags.delete(key)
      changes.set(key, 'delete')
    }
    for (const [key, flag] of flags) {
      const old = this.#flags.get(key)
      if (old !== undefined && this.#priority(old.source) > this.#priority(source)) continue
      const stored = { ...flag, source }
      if (isDeepStrictEqual(old, stored)) continue
      this.#flags.set(key, stored)
      changes.set(key, old === undefined ? 'write' : 'update')
    }
    return changes
  }

  /** The JSON text a sync stream carries: every flag with its state as written, and without metadata where it has none. */
  configuration(): string {
    const flags = [...this.#flags].map(([key, { metadata, ...flag }]) => [
      key,
      Object.keys(metadata).length === 0 ? flag : { ...flag, metadata },
    ])
    return JSON.stringify({ flags: Object.fromEntries(flags) })
  }

  /** by flag key */
  get flags(): ReadonlyMap<string, SourceFlag> {
    return this.#flags
  }

  #priority(source: string): number {
    return this.#sources.indexOf(source)
  }
}
