import type { Clock, Timer } from '../../core/clock.js'

export interface PruningOptions {
  readonly clock: Clock
  /** One table each: deletes a small step of what is beyond its bounds; true if there is more. Never throws. */
  readonly steps: readonly (() => boolean)[]
  /** Called at the end of each round that left nothing to delete. Must not throw. */
  onQuiet?(): void
}

const EVERY_MS = 60_000
/** ms between two steps: the event loop has its turn, and other writers theirs */
const PAUSE_MS = 20

/** Deletes what need not be kept any longer, one table after the other and never much at a time. */
export class Pruning {
  readonly #options: PruningOptions
  #timer: Timer

  constructor(options: PruningOptions) {
    this.#options = options
    this.#timer = this.#in(EVERY_MS, 0, false)
  }

  stop(): void {
    this.#timer.cancel()
  }

  #in(delayMs: number, table: number, isMore: boolean): Timer {
    return this.#options.clock.schedule(delayMs, () => this.#step(table, isMore))
  }

  /** @param isMore in a table before, in this round */
  #step(table: number, isMore: boolean): void {
    const { steps } = this.#options
    const more = (steps[table]?.() ?? false) || isMore
    const last = table + 1 >= steps.length
    if (last && !more) this.#options.onQuiet?.()
    this.#timer = last ? this.#in(more ? PAUSE_MS : EVERY_MS, 0, false) : this.#in(PAUSE_MS, table + 1, more)
  }
}
