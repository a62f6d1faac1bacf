import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Clock } from '../../core/clock.js'
import { KnownFile } from '../../core/files/known-file.js'
import { hashOf, isExpected, MAX_WRITTEN_BYTES } from '../content.js'
import type { Expected, FlagStore, Stored, WriteResult } from '../flag-store.js'
import {
  flagStoreClosed,
  flagStoreFault,
  noAnswer,
  OVERRIDE_NAMES,
  type StoreNames,
  tooLargeToWrite,
} from '../store-fault.js'
import { FileLock, type HeldLock } from './file-lock.js'
import { asidePath, removeLeftovers, temporaryPath } from './leftovers.js'
import { readStored } from './read-file.js'
import { replaceFile } from './replace-file.js'
import { SerialQueue } from './serial-queue.js'
import { type Gate, GivenUp, type StepFaults, type StoreStep } from './steps.js'
import { type LeaseName, type StoreFiles, storeFiles } from './store-files.js'

export interface FileFlagStoreOptions {
  readonly clock: Clock
  /** one start of one process: tells its locks and temporary files from all others' */
  readonly nonce: string
  /** default: those of the override */
  readonly names?: StoreNames
  /** whose lease is read and written; default: the override's */
  readonly lease?: LeaseName
  /** 0 to 1, for the pauses while others hold the lock */
  readonly random?: () => number
  /** for tests */
  readonly faults?: StepFaults
}

/** A call answers within this, also on a file system that hangs (ms). */
const CALL_DEADLINE_MS = 2_000
/** from a look at the override on, for which the lease is beside it (ms) */
const PLACE_MS = 100
/** between two looks for what killed writers left (ms) */
const TIDY_EVERY_MS = 60_000

/**
 * Both files in one directory, under one lock: `path` and, beside the real file that it leads to, `….lease.json`. Any
 * number of replicas and people share them.
 */
export function createFileFlagStore(path: string, options: FileFlagStoreOptions): FlagStore {
  return new FileFlagStore(path, options)
}

type WhichFile = 'override' | 'lease'

class FileFlagStore implements FlagStore {
  readonly #lock: FileLock
  readonly #reads: SerialQueue
  readonly #writes: SerialQueue
  /** as it may stand in a file's name */
  readonly #nonce: string
  readonly #names: StoreNames
  readonly #known: Readonly<Record<WhichFile, KnownFile<Stored>>>
  /** where the links led when the override was seen last */
  #place: { readonly files: StoreFiles; seenAt: number } | undefined
  #written = 0
  #tidyAt = 0
  #isClosed = false

  constructor(
    private readonly path: string,
    private readonly options: FileFlagStoreOptions,
  ) {
    const { clock, random = Math.random } = options
    const nonce = options.nonce.replaceAll(/[^\w-]/g, '_')
    this.#nonce = nonce
    this.#names = options.names ?? OVERRIDE_NAMES
    this.#known = { override: new KnownFile(clock), lease: new KnownFile(clock) }
    this.#lock = new FileLock({ clock, nonce, random })
    this.#reads = new SerialQueue(clock, CALL_DEADLINE_MS)
    this.#writes = new SerialQueue(clock, CALL_DEADLINE_MS)
  }

  read(): Promise<Stored> {
    return this.#read('override')
  }

  readLease(): Promise<Stored> {
    return this.#read('lease')
  }

  write(
    text: string,
    expected: Expected,
    options: { readonly keepAside?: boolean } = {},
  ): Promise<WriteResult> {
    return this.#write('override', text, expected, options.keepAside ?? false)
  }

  writeLease(text: string, expected: Expected): Promise<WriteResult> {
    return this.#write('lease', text, expected, false)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#writes.idle()
  }

  #read(which: WhichFile): Promise<Stored> {
    if (this.#isClosed) return Promise.resolve({ kind: 'failed', fault: flagStoreClosed(this.path) })
    return this.#reads.run<Stored>(
      async (isLate) => {
        const gate = this.#gate(isLate)
        try {
          return await (which === 'override' ? this.#readOverride(gate) : this.#readLease(gate))
        } catch (thrown) {
          return { kind: 'failed', fault: flagStoreFault(thrown, 'read', this.path, this.#names) }
        }
      },
      () => ({ kind: 'failed', fault: noAnswer('read', this.path, CALL_DEADLINE_MS) }),
    )
  }

  async #readOverride(gate: Gate): Promise<Stored> {
    const stored = await this.#known.override.read(this.path, async () => {
      this.#place = undefined
      const files = await this.#resolve(gate)
      await gate('read', files.override)
      const read = await readStored(files.override, this.#names)
      this.#place = { files, seenAt: this.options.clock.monotonic() }
      return read
    })
    // The file itself is the same, so no link leads elsewhere.
    if (this.#place !== undefined) this.#place.seenAt = this.options.clock.monotonic()
    return stored
  }

  /** The lease of a look is read right after the override, and is beside it. */
  async #readLease(gate: Gate): Promise<Stored> {
    const place = this.#place
    const isFresh = place !== undefined && this.options.clock.monotonic() - place.seenAt < PLACE_MS
    const { lease } = isFresh ? place.files : await this.#resolve(gate)
    const read = async (): Promise<Stored> => {
      await gate('read', lease)
      return readStored(lease, this.#names)
    }
    // Only where the inodes of this file system tell every change.
    const missing = isFresh && this.#known.override.isKnown ? ({ kind: 'missing' } as const) : undefined
    return this.#known.lease.read(lease, read, missing)
  }

  async #resolve(gate: Gate): Promise<StoreFiles> {
    await gate('resolve', this.path)
    return storeFiles(this.path, this.options.lease)
  }

  #write(which: WhichFile, text: string, expected: Expected, keepAside: boolean): Promise<WriteResult> {
    if (this.#isClosed) return Promise.resolve({ kind: 'failed', fault: flagStoreClosed(this.path) })
    if (Buffer.byteLength(text) > MAX_WRITTEN_BYTES)
      return Promise.resolve({
        kind: 'failed',
        fault: tooLargeToWrite(this.path, MAX_WRITTEN_BYTES, this.#names),
      })
    return this.#writes.run<WriteResult>(
      async (isLate) => {
        try {
          const gate = this.#gate(isLate)
          const files = await this.#resolve(gate)
          return await this.#locked(files, gate, (lock) =>
            this.#replace({ files, path: files[which], text, expected, keepAside, gate, lock }),
          )
        } catch (thrown) {
          return { kind: 'failed', fault: flagStoreFault(thrown, 'write', this.path, this.#names) }
        }
      },
      () => ({ kind: 'failed', fault: noAnswer('write', this.path, CALL_DEADLINE_MS) }),
    )
  }

  /** A lock that cannot be given back changes nothing of what was done: it is broken later by its own rules. */
  async #locked(
    files: StoreFiles,
    gate: Gate,
    work: (lock: HeldLock) => Promise<WriteResult>,
  ): Promise<WriteResult> {
    const lock = await this.#lock.acquire(files.lock, gate)
    try {
      return await work(lock)
    } finally {
      await this.#unlock(lock, files)
    }
  }

  async #unlock(lock: HeldLock, files: StoreFiles): Promise<void> {
    try {
      await lock.release(() => this.options.faults?.before('unlock', files.lock))
    } catch {
      // as above
    }
  }

  async #replace(write: {
    readonly files: StoreFiles
    readonly path: string
    readonly text: string
    readonly expected: Expected
    readonly keepAside: boolean
    readonly gate: Gate
    readonly lock: HeldLock
  }): Promise<WriteResult> {
    const { files, path, text, expected, gate, lock } = write
    await gate('read', path)
    const stored = await readStored(path, this.#names)
    if (stored.kind === 'failed') return stored
    if (!isExpected(stored, expected)) return { kind: 'conflict', stored }
    this.#written += 1
    const aside: { aside?: string } = write.keepAside
      ? { aside: asidePath(path, this.options.clock.wall()) }
      : {}
    const temporary = temporaryPath(path, `${this.#nonce}-${this.#written}`)
    const isOurs = () => lock.isOurs()
    const names = this.#names
    const result = await replaceFile({ path, text, expected, temporary, ...aside, gate, names, isOurs })
    if (result.kind === 'changed')
      return result.stored.kind === 'failed' ? result.stored : { kind: 'conflict', stored: result.stored }
    await this.#tidy(files, path, write.keepAside)
    const kept = aside.aside === undefined || expected === 'missing' ? {} : { aside: basename(aside.aside) }
    return { kind: 'written', hash: hashOf(text), ...kept }
  }

  async #tidy(files: StoreFiles, path: string, keptAside: boolean): Promise<void> {
    const now = this.options.clock.monotonic()
    if (now < this.#tidyAt && !keptAside) return
    this.#tidyAt = now + TIDY_EVERY_MS
    const written = await stat(path).catch(() => undefined)
    if (written !== undefined) await removeLeftovers(files, written.mtimeMs)
  }

  #gate(isLate: () => boolean): Gate {
    return async (step: StoreStep, path: string) => {
      await this.options.faults?.before(step, path)
      if (isLate()) throw new GivenUp()
    }
  }
}
