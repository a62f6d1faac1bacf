import type { Clock, Timer } from '../../core/clock.js'
import { WaitingEntries } from '../database/waiting-entries.js'

export interface WriteQueueOptions<T> {
  readonly clock: Clock
  /** entries that may wait at once; what comes beyond is dropped */
  readonly maxWaiting: number
  /** 1 for an entry of usual size: so many times that one it costs to write */
  weight(entry: T): number
  /**
   * Writes all of them or none.
   * @param batch counts the batches: the same entries come with the same number again where it is not known whether they were written
   */
  write(entries: readonly T[], batch: number): Promise<void>
  /** `unwritable`: may work later; `impossible`: never will, for an entry in it is wrong, and nothing of it was written. */
  faultKind(error: unknown): 'unwritable' | 'impossible'
  /** Entries begin to wait for longer, or to be dropped. */
  onTrouble(error: unknown): void
  /** All that waited is written. */
  onOver(): void
  /** An entry that can never be written was dropped. */
  onImpossible(error: unknown): void
  /** Waits so many ms at the end; must keep the process alive meanwhile. Default: a timer of the process. */
  pause?(ms: number): Promise<void>
}

interface Batch<T> {
  readonly entries: readonly T[]
  readonly number: number
}

/** ms an entry waits for others to share its transaction */
const GATHER_MS = 10
/** weight of one transaction, beside that of its last entry */
const BATCH = 500
const MAX_PAUSE_MS = 1_000
/** ms before each of the last tries */
const LAST_PAUSES_MS = [0, 20, 50, 100, 200, 300] as const

/**
 * Entries on their way to a database that may be away: `add` only remembers, and one batch at a time is written. Bounded: beyond that
 * entries are dropped and counted; one of a higher rank takes the place of the newest of the lowest.
 */
export class WriteQueue<T> {
  readonly #options: WriteQueueOptions<T>
  readonly #waiting = new WaitingEntries<T>()
  /** under way, or to be tried again */
  #batch: Batch<T> | undefined
  #batches = 0
  #round: Promise<boolean> | undefined
  #timer: Timer | undefined
  #pauseMs = GATHER_MS
  /** entries still to be written one by one, since one among them is impossible */
  #singly = 0
  #failing = false
  #trouble = false
  #dropped = 0
  #closed = false

  constructor(options: WriteQueueOptions<T>) {
    this.#options = options
  }

  get dropped(): number {
    return this.#dropped
  }

  /** Counts an entry that was lost before it came here. */
  drop(): void {
    this.#dropped += 1
  }

  /** @param rank the higher, the dearer; 0 takes nobody's place */
  add(entry: T, rank: number): void {
    if (this.#closed || (this.#size() >= this.#options.maxWaiting && !this.#makeRoom(rank))) {
      this.drop()
      return
    }
    this.#waiting.push(entry, rank)
    this.#timer ??= this.#schedule()
  }

  /** Writes what waits now, unless it is known that it cannot be written at the moment. Never rejects. */
  async flush(): Promise<void> {
    while (this.#size() > 0 && !this.#failing) await this.#next()
  }

  /** Writes what waits, trying a few times, and drops the rest; whatever comes later is dropped too. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    const pause = this.#options.pause ?? processPause
    for (const pauseMs of LAST_PAUSES_MS) {
      await pause(pauseMs)
      while (this.#size() > 0 && (await this.#next()));
      if (this.#size() === 0) return
    }
    this.#dropped += this.#waiting.take(this.#waiting.size).length + (this.#batch?.entries.length ?? 0)
    this.#batch = undefined
  }

  #size(): number {
    return this.#waiting.size + (this.#batch?.entries.length ?? 0)
  }

  #schedule(): Timer {
    return this.#options.clock.schedule(this.#pauseMs, () => {
      // A round never rejects: it tells its own fault.
      void this.#next().then(() => {
        this.#timer = undefined
        if (this.#size() > 0 && !this.#closed) this.#timer = this.#schedule()
      })
    })
  }

  #makeRoom(rank: number): boolean {
    this.#tellTrouble(new Error('too many entries wait'))
    const hasRoom = this.#waiting.makeRoom(rank)
    if (hasRoom) this.drop()
    return hasRoom
  }

  /** One batch, which all who ask for it meanwhile wait for. False if it is better to wait before the next. Never rejects. */
  #next(): Promise<boolean> {
    this.#round ??= this.#write().finally(() => {
      this.#round = undefined
    })
    return this.#round
  }

  async #write(): Promise<boolean> {
    const batch = this.#batch ?? this.#take()
    if (batch.entries.length === 0) return true
    this.#batch = batch
    try {
      await this.#options.write(batch.entries, batch.number)
    } catch (error) {
      return this.#failed(error, batch)
    }
    this.#batch = undefined
    this.#singly = Math.max(this.#singly - 1, 0)
    this.#passed()
    return true
  }

  #take(): Batch<T> {
    this.#batches += 1
    const size = this.#singly > 0 ? 1 : this.#waiting.countOf(BATCH, this.#options.weight)
    return { entries: this.#waiting.take(size), number: this.#batches }
  }

  #passed(): void {
    this.#answered()
    if (!this.#trouble || this.#size() > 0) return
    this.#trouble = false
    this.#options.onOver()
  }

  /** The database is there again, if only to refuse an entry. */
  #answered(): void {
    this.#failing = false
    this.#pauseMs = GATHER_MS
  }

  #failed(error: unknown, batch: Batch<T>): boolean {
    if (this.#options.faultKind(error) === 'impossible') {
      this.#findImpossible(error, batch)
      return true
    }
    this.#failing = true
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS)
    this.#tellTrouble(error)
    return false
  }

  #findImpossible(error: unknown, { entries }: Batch<T>): void {
    this.#batch = undefined
    if (entries.length > 1) {
      // Nothing of it was written: its entries go as batches of their own.
      this.#waiting.putBack(entries)
      this.#singly = entries.length
      this.#answered()
      return
    }
    this.#singly = 0
    this.drop()
    this.#options.onImpossible(error)
    this.#passed()
  }

  #tellTrouble(error: unknown): void {
    if (this.#trouble) return
    this.#trouble = true
    this.#options.onTrouble(error)
  }
}

const processPause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
