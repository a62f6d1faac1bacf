import { isJudged } from '../../protocol/execution-results.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import { boundedMs, nearestRank } from './latency-sketch.js'
import { type Observed, WindowCounts, windowMetrics } from './window-counts.js'

const RESULTS = ['ok', 'error', 'timeout', 'aborted', 'rejected', 'abandoned'] as const
/** An entry: time since `base` (ms), latency (ms), first content (ms, or ABSENT), index in RESULTS. */
const FIELDS = 4
const ABSENT = -1
/** 64 bytes: up to there V8 keeps an array inside its own heap, which makes orgs that come and go cheap. */
const FIRST_CAPACITY = 4
const CAPACITY = 256
const NO_ENTRIES = new Float32Array(0)
/** bytes of the objects beside the entries, measured */
const OBJECT_BYTES = 350

/**
 * The executions of the last `windowMs` one by one, at most 256 of them: exact, in 16 bytes each. For the many orgs with a
 * few turns, to which a window of slices and sketches would be a hundred times what it holds.
 */
export class RecentOutcomes {
  /** A ring; single precision holds a latency to 1 part in 10^7. */
  #entries = NO_ENTRIES
  #first = 0
  #size = 0
  #base = 0
  #windowMs: number

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  get bytes(): number {
    return OBJECT_BYTES + 4 * this.#entries.length
  }

  isFull(now: number): boolean {
    this.#advance(now)
    return this.#size === CAPACITY
  }

  /** The caller has asked `isFull`. */
  record(now: number, { result, latencyMs, firstContentMs }: Observed): void {
    this.#advance(now)
    // Far from its base, single precision would blur the times.
    if (this.#size === 0 || now - this.#base > 2 * this.#windowMs) this.#rebase(now)
    if (this.#size * FIELDS === this.#entries.length) this.#grow()
    const at = this.#offset(this.#size)
    this.#entries[at] = atLeast(now - this.#base)
    this.#entries[at + 1] = boundedMs(latencyMs)
    this.#entries[at + 2] = firstContentMs === undefined ? ABSENT : boundedMs(firstContentMs)
    this.#entries[at + 3] = RESULTS.indexOf(result)
    this.#size += 1
  }

  read(now: number): WindowMetrics {
    this.#advance(now)
    const counts = new WindowCounts()
    const latencies: number[] = []
    const firstContents: number[] = []
    this.replay((_at, observed) => {
      counts.add(observed)
      if (!isJudged(observed.result)) return
      latencies.push(observed.latencyMs)
      if (observed.firstContentMs !== undefined) firstContents.push(observed.firstContentMs)
    })
    return windowMetrics(counts, quantiles(latencies), quantiles(firstContents))
  }

  /** Oldest first, each with its monotonic time. */
  replay(visit: (at: number, observed: Observed) => void): void {
    for (let index = 0; index < this.#size; index++) {
      const at = this.#offset(index)
      const firstContentMs = this.#entries[at + 2] ?? ABSENT
      visit(this.#time(index), {
        result: RESULTS[this.#entries[at + 3] ?? 0] ?? 'ok',
        latencyMs: this.#entries[at + 1] ?? 0,
        ...(firstContentMs === ABSENT ? {} : { firstContentMs }),
      })
    }
  }

  resize(now: number, windowMs: number): void {
    this.#advance(now)
    this.#windowMs = windowMs
    this.#advance(now)
  }

  #offset(index: number): number {
    const at = (this.#first + index) * FIELDS
    return at < this.#entries.length ? at : at - this.#entries.length
  }

  #time(index: number): number {
    return this.#base + (this.#entries[this.#offset(index)] ?? 0)
  }

  #advance(now: number): void {
    const edge = now - this.#windowMs
    while (this.#size > 0 && this.#time(0) <= edge) {
      this.#first = (this.#first + 1) % (this.#entries.length / FIELDS)
      this.#size -= 1
    }
  }

  #rebase(now: number): void {
    if (this.#size === 0) {
      this.#base = now
      return
    }
    const base = this.#time(0)
    for (let index = 0; index < this.#size; index++)
      this.#entries[this.#offset(index)] = atLeast(this.#time(index) - base)
    this.#base = base
  }

  #grow(): void {
    const larger = new Float32Array(Math.max(FIRST_CAPACITY * FIELDS, this.#entries.length * 2))
    const first = this.#first * FIELDS
    larger.set(this.#entries.subarray(first))
    larger.set(this.#entries.subarray(0, first), this.#entries.length - first)
    this.#entries = larger
    this.#first = 0
  }
}

/** The next value in single precision that is not below: no execution leaves early. */
function atLeast(ms: number): number {
  const rounded = Math.fround(ms)
  return rounded < ms ? Math.fround(ms * (1 + 2 ** -23)) : rounded
}

function quantiles(values: number[]): (p: number) => number {
  const rising = Float64Array.from(values).sort()
  return (p) => rising[nearestRank(p, rising.length) - 1] ?? 0
}
