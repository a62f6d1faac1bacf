import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import type { Pair } from './shadow-pair.js'

/** The pairs that are neither compared nor dropped, and the candidates of which something is left. */
export class OpenPairs {
  readonly #all = new Set<Pair>()
  /** longest waiting first */
  readonly #queued: Pair[] = []
  readonly #comparable: Pair[] = []
  readonly #running = new Set<Promise<void>>()
  #whenIdle: (() => void) | undefined

  get size(): number {
    return this.#all.size
  }

  get queued(): number {
    return this.#queued.length
  }

  get comparable(): number {
    return this.#comparable.length
  }

  /** candidates under way, those of dropped pairs that are being given up among them */
  get running(): number {
    return this.#running.size
  }

  all(): Pair[] {
    return [...this.#all]
  }

  add(pair: Pair): void {
    this.#all.add(pair)
  }

  /** @param since monotonic ms, never before those of others */
  enqueue(pair: Pair, since: number): void {
    pair.stage = { kind: 'queued', since }
    this.#queued.push(pair)
  }

  /** Who is next; it stays where it is. */
  head(): Pair | undefined {
    return this.#queued[0]
  }

  dequeue(): Pair | undefined {
    return this.#queued.shift()
  }

  /** Both sides of it have ended. */
  addComparable(pair: Pair): void {
    this.#comparable.push(pair)
  }

  nextComparable(): Pair | undefined {
    return this.#comparable.shift()
  }

  /** @param gone ends when nothing of the candidate is left; never rejects */
  addRunning(gone: Promise<void>, onGone: () => void): void {
    this.#running.add(gone)
    void gone.then(() => {
      this.#running.delete(gone)
      onGone()
      this.#tellIdle()
    })
  }

  close(pair: Pair): void {
    this.#all.delete(pair)
    remove(this.#queued, pair)
    remove(this.#comparable, pair)
    pair.stage = { kind: 'closed' }
    this.#tellIdle()
  }

  /** Ends when nothing is open and nothing runs, or after the ms. */
  async idle(ms: number, clock: Clock): Promise<void> {
    if (this.#isIdle()) return
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle = resolve
    })
    await bounded(idle, ms, clock)
    this.#whenIdle = undefined
  }

  #isIdle(): boolean {
    return this.#all.size === 0 && this.#running.size === 0
  }

  #tellIdle(): void {
    if (this.#isIdle()) this.#whenIdle?.()
  }
}

function remove(pairs: Pair[], pair: Pair): void {
  const at = pairs.indexOf(pair)
  if (at >= 0) pairs.splice(at, 1)
}
