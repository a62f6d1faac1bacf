/** ms; what is shorter counts as 0 */
const SHORTEST_MS = 0.1
const LONGEST_MS = 86_400_000
/** An estimate is at most this share off: half of the 2% that is promised leaves room for the rounding of answers. */
const RELATIVE_ERROR = 0.01

const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
const PER_LOG = 1 / Math.log(GAMMA)
/** Bucket 0 is "shorter than any"; bucket i holds [SHORTEST × γ^(i-1), SHORTEST × γ^i). */
const BUCKETS = 2 + Math.floor(Math.log(LONGEST_MS / SHORTEST_MS) * PER_LOG)
/** ms; the value that is the same share away from both ends of its bucket */
const ESTIMATES = Float64Array.from({ length: BUCKETS }, (_, bucket) =>
  bucket === 0 ? 0 : SHORTEST_MS * GAMMA ** (bucket - 1) * (1 + RELATIVE_ERROR),
)

/** Durations as the windows count them: 0 to 24 h, so that one absurd value cannot spoil a sum. */
export function boundedMs(ms: number): number {
  if (ms > LONGEST_MS) return LONGEST_MS
  return ms > 0 ? ms : 0
}

export function bucketOf(ms: number): number {
  if (!(ms >= SHORTEST_MS)) return 0
  if (ms >= LONGEST_MS) return BUCKETS - 1
  return 1 + Math.floor(Math.log(ms / SHORTEST_MS) * PER_LOG)
}

const NO_LOG = new Uint16Array(0)
const FIRST_LOG = 16
/** Up to here a log of bucket numbers (2 bytes each) is smaller than the counts (4 bytes a bucket). */
const LONGEST_LOG = 1024

/**
 * Quantiles of durations in ms, 0.1 ms to 24 h, each at most 1% off the value at that rank. Holds at most 4.1 kB whatever
 * it is given; a few durations take two bytes each. Adding is O(1), everything else bounded by the number of buckets.
 */
export class LatencySketch {
  #count = 0
  #log: Uint16Array = NO_LOG
  #counts: Uint32Array | undefined

  get count(): number {
    return this.#count
  }

  /** what it holds, without the objects around it */
  get bytes(): number {
    return this.#counts === undefined ? 2 * this.#log.length : 4 * BUCKETS
  }

  add(ms: number): void {
    this.addBucket(bucketOf(ms))
  }

  /** `add` for a bucket that `bucketOf` named: one logarithm serves several sketches. */
  addBucket(bucket: number): void {
    const counts = this.#counts ?? this.#append(bucket)
    if (counts === undefined) return
    counts[bucket] = (counts[bucket] ?? 0) + 1
    this.#count += 1
  }

  /** Takes in all of the other, as if each of its durations had been added here. */
  merge(other: LatencySketch): void {
    const theirs = other.#counts
    if (theirs === undefined) {
      for (let at = 0; at < other.#count; at++) this.addBucket(other.#log[at] ?? 0)
      return
    }
    const counts = this.counting()
    for (let bucket = 0; bucket < BUCKETS; bucket++)
      counts[bucket] = (counts[bucket] ?? 0) + (theirs[bucket] ?? 0)
    this.#count += other.#count
  }

  /** Takes out what `merge`, or the same additions, put in. Anything else is a mistake of the caller. */
  subtract(other: LatencySketch): void {
    const counts = this.counting()
    const theirs = other.#counts
    if (theirs === undefined) {
      for (let at = 0; at < other.#count; at++) {
        const bucket = other.#log[at] ?? 0
        counts[bucket] = (counts[bucket] ?? 0) - 1
      }
    } else {
      for (let bucket = 0; bucket < BUCKETS; bucket++)
        counts[bucket] = (counts[bucket] ?? 0) - (theirs[bucket] ?? 0)
    }
    this.#count -= other.#count
  }

  /** ms at the nearest rank of `p` (0 to 1); 0 when empty */
  quantile(p: number): number {
    if (this.#count === 0) return 0
    const counts = this.counting()
    let left = nearestRank(p, this.#count)
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= counts[bucket] ?? 0
      if (left <= 0) return ESTIMATES[bucket] ?? 0
    }
    return LONGEST_MS
  }

  /** Counts from now on; for a sketch that is subtracted from or read often. */
  counting(): Uint32Array {
    if (this.#counts !== undefined) return this.#counts
    const counts = new Uint32Array(BUCKETS)
    for (let at = 0; at < this.#count; at++) {
      const bucket = this.#log[at] ?? 0
      counts[bucket] = (counts[bucket] ?? 0) + 1
    }
    this.#log = NO_LOG
    this.#counts = counts
    return counts
  }

  /** The counts to add to, where the log is full. */
  #append(bucket: number): Uint32Array | undefined {
    if (this.#count === this.#log.length) {
      if (this.#count >= LONGEST_LOG) return this.counting()
      const longer = new Uint16Array(Math.max(FIRST_LOG, this.#count * 2))
      longer.set(this.#log)
      this.#log = longer
    }
    this.#log[this.#count] = bucket
    this.#count += 1
    return undefined
  }
}

/** 1 to `count`: which of the values in rising order is the p-quantile (0 to 1). */
export function nearestRank(p: number, count: number): number {
  return Math.min(count, Math.max(1, Math.ceil(p * count)))
}
