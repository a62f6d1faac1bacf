import type { Clock } from '../core/clock.js'
import {
  given,
  jsonValue,
  type SampleEntry,
  sampleEntry,
  type TransitionEntry,
  transitionEntry,
} from './entries.js'
import {
  type EvidenceSample,
  type Journal,
  JournalUnavailable,
  type KeptTransition,
  type Transition,
} from './journal.js'
import { type Bound, DEFAULT_RETENTION, type Retention } from './retention.js'

export interface MemoryJournalOptions {
  readonly clock: Clock
  readonly retention?: Retention
}

// What a process keeps for itself alone: samples of some hours, about 5 MB.
const IN_MEMORY: Retention = {
  ...DEFAULT_RETENTION,
  samples: { ...DEFAULT_RETENTION.samples, count: 10_000 },
}

/** The journal of a service without a database file: forgotten at its end. */
export function createMemoryJournal(options: MemoryJournalOptions): Journal {
  return new MemoryJournal(options.clock, options.retention ?? IN_MEMORY)
}

class MemoryJournal implements Journal {
  readonly #transitions: Entries<TransitionEntry & { readonly id: number }>
  readonly #samples: Entries<SampleEntry>
  #lastId = 0
  #dropped = 0
  #closed = false

  constructor(clock: Clock, retention: Retention) {
    this.#transitions = new Entries(clock, retention.transitions)
    this.#samples = new Entries(clock, retention.samples)
  }

  get dropped(): number {
    return this.#dropped
  }

  keepTransition(transition: Transition): void {
    if (this.#closed) {
      this.#dropped += 1
      return
    }
    this.#lastId += 1
    this.#transitions.add({ ...transitionEntry(transition), id: this.#lastId })
  }

  keepSample(sample: EvidenceSample): void {
    const entry = this.#closed ? undefined : sampleEntry(sample)
    if (entry === undefined) this.#dropped += 1
    else this.#samples.add(entry)
  }

  async transitions(limit: number, beforeId = Number.POSITIVE_INFINITY): Promise<readonly KeptTransition[]> {
    this.#checkOpen()
    const before = this.#transitions.all().filter(({ id }) => id < beforeId)
    return before
      .slice(Math.max(before.length - limit, 0))
      .reverse()
      .map(keptTransition)
  }

  async samples(run: string): Promise<readonly EvidenceSample[]> {
    this.#checkOpen()
    const ofRun = this.#samples.all().filter((sample) => sample.run === run)
    return ofRun
      .sort((a, b) => a.seq - b.seq)
      .map((sample) => ({ ...sample, input: jsonValue(sample.input) }))
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #checkOpen(): void {
    if (this.#closed) throw new JournalUnavailable('the journal is closed')
  }
}

/** Entries in the order they came. */
class Entries<T extends { readonly at: number }> {
  #entries: T[] = []

  constructor(
    private readonly clock: Clock,
    private readonly bound: Bound,
  ) {}

  add(entry: T): void {
    this.#entries.push(entry)
    // Cut by half at a time: moving all of them at each entry would cost as much as there are.
    if (this.#entries.length >= 2 * this.bound.count) this.#entries = this.all()
  }

  all(): T[] {
    const oldest = this.clock.wall() - this.bound.maxAgeMs
    const newest = this.#entries.slice(Math.max(this.#entries.length - this.bound.count, 0))
    return newest.filter(({ at }) => at >= oldest)
  }
}

function keptTransition(kept: TransitionEntry & { readonly id: number }): KeptTransition {
  const { evidence, guardrails, ...rest } = kept
  return {
    ...rest,
    ...given('evidence', evidence && jsonValue(evidence)),
    ...given('guardrails', guardrails && jsonValue(guardrails)),
  }
}
