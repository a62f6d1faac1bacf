/** ms of the sliding window */
const WINDOW_MS = 10_000
const BUCKET_MS = 100
/** one more than the window, for the bucket that it covers in part */
const BUCKETS = WINDOW_MS / BUCKET_MS + 1
/** of the requests of the window */
const SHARE = 0.2
/** retries that the window allows however few requests there were */
const FREE = 10

/**
 * How many retries one endpoint gets: at most a fifth of its requests of the last 10 s, but 10 are always free. A server
 * that is down gets hardly more requests than one that is well.
 */
export class RetryBudget {
  readonly #requests = new BucketCounts()
  readonly #retries = new BucketCounts()

  /** A request that is no retry went out. @param now monotonic ms */
  request(now: number): void {
    this.#requests.add(now)
  }

  /** Whether one more retry may go out now; it then counts as sent. */
  take(now: number): boolean {
    // The bucket that the window covers in part counts against us both times.
    const allowed = Math.max(FREE, Math.floor(this.#requests.sum(now, BUCKETS - 1) * SHARE))
    if (this.#retries.sum(now, BUCKETS) >= allowed) return false
    this.#retries.add(now)
    return true
  }
}

/** Counts by 100 ms, as far back as the window reaches. */
class BucketCounts {
  readonly #counts = new Array<number>(BUCKETS).fill(0)
  /** number of the newest bucket, from the clock's origin */
  #newest = 0

  add(now: number): void {
    this.#moveTo(now)
    const at = this.#newest % BUCKETS
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  /** of the newest `buckets` */
  sum(now: number, buckets: number): number {
    this.#moveTo(now)
    let sum = 0
    for (let back = 0; back < buckets; back++)
      sum += this.#counts[(this.#newest - back + BUCKETS * 2) % BUCKETS] ?? 0
    return sum
  }

  #moveTo(now: number): void {
    const bucket = Math.max(this.#newest, Math.floor(now / BUCKET_MS))
    const passed = Math.min(bucket - this.#newest, BUCKETS)
    for (let step = 0; step < passed; step++) this.#counts[(bucket - step) % BUCKETS] = 0
    this.#newest = bucket
  }
}
