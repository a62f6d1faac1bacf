import { isJudged } from '../../protocol/execution-results.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import { bucketOf, LatencySketch } from './latency-sketch.js'
import { type Observed, WindowCounts, windowMetrics } from './window-counts.js'

/** Executions recorded close together in time; they leave the window together. */
class Slice {
  readonly counts = new WindowCounts()
  readonly latency = new LatencySketch()
  readonly firstContent = new LatencySketch()
  lastAt: number

  constructor(readonly firstAt: number) {
    this.lastAt = firstAt
  }

  get bytes(): number {
    return SLICE_BYTES + this.latency.bytes + this.firstContent.bytes
  }

  /** Takes in the slice that follows this one. */
  join(next: Slice): void {
    this.counts.plus(next.counts)
    this.latency.merge(next.latency)
    this.firstContent.merge(next.firstContent)
    this.lastAt = next.lastAt
  }
}

/** bytes of a slice's objects beside its sketches' arrays, measured */
const SLICE_BYTES = 800

/**
 * The executions of the last `windowMs`, in about `parts` slices of time with running totals: recording and reading cost
 * the same whatever it holds. It reaches back `windowMs` at least and one slice (`windowMs / parts`) more at most.
 * Times are monotonic ms, passed in and never going back; it advances by them also when nothing was recorded, so that a
 * stale burst does not count an hour later.
 */
export class SlidingWindow {
  readonly #parts: number
  #windowMs: number
  /** oldest first */
  #slices: Slice[] = []
  #sliceBytes = 0
  readonly #counts = new WindowCounts()
  readonly #latency = new LatencySketch()
  readonly #firstContent = new LatencySketch()

  constructor(windowMs: number, parts: number) {
    this.#windowMs = windowMs
    this.#parts = parts
    this.#latency.counting()
    this.#firstContent.counting()
  }

  /** about what it takes in memory */
  get bytes(): number {
    return SLICE_BYTES + this.#latency.bytes + this.#firstContent.bytes + this.#sliceBytes
  }

  record(now: number, observed: Observed): void {
    this.#advance(now)
    const slice = this.#present(now)
    const before = slice.bytes
    slice.lastAt = now
    slice.counts.add(observed)
    this.#counts.add(observed)
    if (!isJudged(observed.result)) return
    const latency = bucketOf(observed.latencyMs)
    slice.latency.addBucket(latency)
    this.#latency.addBucket(latency)
    if (observed.firstContentMs !== undefined) {
      const firstContent = bucketOf(observed.firstContentMs)
      slice.firstContent.addBucket(firstContent)
      this.#firstContent.addBucket(firstContent)
    }
    this.#sliceBytes += slice.bytes - before
  }

  read(now: number): WindowMetrics {
    this.#advance(now)
    return windowMetrics(
      this.#counts,
      (p) => this.#latency.quantile(p),
      (p) => this.#firstContent.quantile(p),
    )
  }

  isEmpty(now: number): boolean {
    this.#advance(now)
    return this.#slices.length === 0
  }

  /** Keeps what both lengths reach; slices of the old length stay as they are until they leave. */
  resize(now: number, windowMs: number): void {
    this.#advance(now) // what had left the old window does not come back into a longer one
    this.#windowMs = windowMs
    this.#advance(now)
  }

  #advance(now: number): void {
    const edge = now - this.#windowMs
    for (
      let oldest = this.#slices[0];
      oldest !== undefined && oldest.lastAt <= edge;
      oldest = this.#slices[0]
    ) {
      this.#counts.plus(oldest.counts, -1)
      this.#latency.subtract(oldest.latency)
      this.#firstContent.subtract(oldest.firstContent)
      this.#sliceBytes -= oldest.bytes
      this.#slices.shift()
    }
  }

  #present(now: number): Slice {
    const widthMs = this.#windowMs / this.#parts
    const newest = this.#slices.at(-1)
    if (newest !== undefined && now - newest.firstAt < widthMs) return newest
    // Only a window that grew holds narrower slices, and so more of them.
    if (this.#slices.length > 2 * this.#parts + 2) {
      this.#slices = joined(this.#slices, widthMs)
      this.#sliceBytes = this.#slices.reduce((bytes, held) => bytes + held.bytes, 0)
    }
    const slice = new Slice(now)
    this.#sliceBytes += slice.bytes
    this.#slices.push(slice)
    return slice
  }
}

/** Neighbours joined up to the given width: of the slices of one window at most two remain for each width. */
function joined(slices: readonly Slice[], widthMs: number): Slice[] {
  const wider: Slice[] = []
  for (const slice of slices) {
    const last = wider.at(-1)
    if (last !== undefined && slice.lastAt - last.firstAt < widthMs) last.join(slice)
    else wider.push(slice)
  }
  return wider
}
