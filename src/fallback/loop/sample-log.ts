import type { Clock } from '../../core/clock.js'
import type { Journal } from '../../journal/journal.js'
import type { FallbackState } from '../machine/state.js'

/** samples between two of the whole state */
const CHECKPOINT_EVERY = 500

export interface SampleLogDeps {
  readonly clock: Clock
  readonly replica: string
  readonly journal: Pick<Journal, 'keepSample'>
}

/** Keeps what changed the state, in order, so that a run can be replayed. */
export class SampleLog {
  #seq = 0

  /** @param run names this start of this process */
  constructor(
    private readonly deps: SampleLogDeps,
    private readonly run: string,
  ) {}

  /** Retention takes the oldest samples of a long run away: a replay can begin at any checkpoint. @param state after the input */
  keep(input: unknown, state: FallbackState): void {
    this.#keepOne(input)
    if (this.#seq % CHECKPOINT_EVERY === 0) this.#keepOne({ kind: 'checkpoint', state })
  }

  #keepOne(input: unknown): void {
    const { journal, clock, replica } = this.deps
    journal.keepSample({ at: clock.wall(), replica, run: this.run, seq: this.#seq, input })
    this.#seq += 1
  }
}
