import type { Clock, Timer } from '../../core/clock.js'
import { WaitingEntries } from '../database/waiting-entries.js'

export interface WriteBehindOptions<T> {
  readonly clock: Clock
  /** entries that may wait at once; what comes beyond is dropped */
  readonly maxWaiting: number
  /** 1 for an entry of usual size: so many times that one it costs to write */
  weight(entry: T): number
  /** Writes all of them or none. Throws what `faultKind` understands. */
  write(entries: readonly T[]): void
  /**
   * `locked`: may work in a moment; `unwritable`: may work later (a full disk); `impossible`: never will, for an entry
   * in it is wrong.
   */
  faultKind(error: unknown): 'locked' | 'unwritable' | 'impossible'
  /** Entries begin to wait for longer, or to be dropped. */
  onTrouble(error: unknown): void
  /** All that waited is written. */
  onOver(): void
  /** An entry that can never be written was dropped. */
  onImpossible(error: unknown): void
  /** Waits so many ms at the end; must keep the process alive meanwhile. Default: a timer of the process. */
  pause?(ms: number): Promise<void>
}

/** ms an entry waits for others to share its transaction */
const GATHER_MS = 10
/**
 * ... one of the lowest rank. A transaction takes as much CPU as several of these entries, and each makes the database's other
 * connections read their pages again.
 */
const LOWEST_GATHER_MS = 100
/** weight of one transaction, beside that of its last entry */
const BATCH = 100
const MAX_PAUSE_MS = 1_000
/** a lock held for shorter than this is nobody's trouble */
const LOCKED_MS = 2_000
/** ms before each of the last tries; about a second in all, each of them may block some ms besides */
const LAST_PAUSES_MS = [0, 10, 20, 50, 100, 200, 250, 300] as const

/**
 * Entries on their way to a disk that may be locked, full or gone: `add` only remembers, a timer writes. Bounded: beyond
 * that entries are dropped and counted; one of a higher rank takes the place of the newest of the lowest.
 */
export class WriteBehind<T> {
  readonly #options: WriteBehindOptions<T>
  readonly #waiting = new WaitingEntries<T>()
  #timer: Timer | undefined
  /** the timer waits for more of the lowest rank */
  #isPatient = false
  #pauseMs = GATHER_MS
  /** entries still to be written one by one, since one among them is impossible */
  #singly = 0
  #failingSince: number | undefined
  #trouble = false
  #dropped = 0
  #closed = false

  constructor(options: WriteBehindOptions<T>) {
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
    if (this.#closed || (this.#waiting.size >= this.#options.maxWaiting && !this.#makeRoom(rank))) {
      this.drop()
      return
    }
    this.#waiting.push(entry, rank)
    const mayWait = rank === 0
    if (this.#timer !== undefined && this.#isPatient && !mayWait) {
      this.#timer.cancel()
      this.#timer = undefined
    }
    this.#timer ??= this.#schedule(mayWait)
  }

  /** Writes what waits now, unless it is known that it cannot be written at the moment. */
  async flush(): Promise<void> {
    while (this.#waiting.size > 0 && this.#failingSince === undefined && this.#round()) await breath()
  }

  /** Writes what waits, trying for about a second, and drops the rest; whatever comes later is dropped too. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    const pause = this.#options.pause ?? processPause
    for (const pauseMs of LAST_PAUSES_MS) {
      await pause(pauseMs)
      while (this.#waiting.size > 0 && this.#round()) await breath()
      if (this.#waiting.size === 0) return
    }
    this.#dropped += this.#waiting.take(this.#waiting.size).length
  }

  #schedule(isPatient = false): Timer {
    this.#isPatient = isPatient
    return this.#options.clock.schedule(isPatient ? LOWEST_GATHER_MS : this.#pauseMs, () => {
      this.#timer = undefined
      this.#round()
      if (this.#waiting.size > 0) this.#timer ??= this.#schedule()
    })
  }

  #makeRoom(rank: number): boolean {
    this.#tellTrouble(new Error('too many entries wait'))
    const hasRoom = this.#waiting.makeRoom(rank)
    if (hasRoom) this.drop()
    return hasRoom
  }

  /** One transaction. False if it is better to wait before the next. */
  #round(): boolean {
    const size = this.#singly > 0 ? 1 : this.#waiting.countOf(BATCH, this.#options.weight)
    const batch = this.#waiting.first(size)
    try {
      this.#options.write(batch)
    } catch (error) {
      return this.#failed(error, batch.length)
    }
    this.#waiting.take(batch.length)
    this.#singly = Math.max(this.#singly - 1, 0)
    this.#passed()
    return true
  }

  #passed(): void {
    this.#answered()
    if (!this.#trouble || this.#waiting.size > 0) return
    this.#trouble = false
    this.#options.onOver()
  }

  /** The disk is there again, if only to refuse an entry. */
  #answered(): void {
    this.#failingSince = undefined
    this.#pauseMs = GATHER_MS
  }

  #failed(error: unknown, size: number): boolean {
    const kind = this.#options.faultKind(error)
    if (kind === 'impossible') {
      this.#findImpossible(error, size)
      return true
    }
    const now = this.#options.clock.monotonic()
    this.#failingSince ??= now
    this.#pauseMs = Math.min(this.#pauseMs * 2, MAX_PAUSE_MS)
    if (kind === 'unwritable' || now - this.#failingSince >= LOCKED_MS) this.#tellTrouble(error)
    return false
  }

  #findImpossible(error: unknown, size: number): void {
    if (size > 1) {
      this.#singly = size
      this.#answered()
      return
    }
    this.#waiting.take(1)
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

/** The event loop's turn between two transactions. */
const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const processPause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
