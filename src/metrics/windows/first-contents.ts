import { nearestRank } from './latency-sketch.js'

/** The time to the first content of some executions: those that got any. */
export interface FirstContent {
  readonly samples: number
  /** ms, by nearest rank; 0 if there are none */
  readonly p95Ms: number
}

/** executions kept, the newest */
const CAPACITY = 2048

/** The newest times to the first content, one by one. Times on the monotonic clock, in ms. */
export class FirstContents {
  readonly #endedAt = new Float64Array(CAPACITY)
  readonly #ms = new Float64Array(CAPACITY)
  /** of the next one, counted since the last clear */
  #next = 0

  record(now: number, firstContentMs: number): void {
    const at = this.#next % CAPACITY
    this.#endedAt[at] = now
    this.#ms[at] = firstContentMs
    this.#next += 1
  }

  /** Over the newest `fastMs`, reaching back (at most to `windowMs`) until it holds `atLeast`. */
  read(now: number, fastMs: number, atLeast: number, windowMs: number): FirstContent {
    const times: number[] = []
    for (let index = this.#next - 1; index >= Math.max(0, this.#next - CAPACITY); index -= 1) {
      const age = now - (this.#endedAt[index % CAPACITY] ?? 0)
      if (age >= windowMs || (age >= fastMs && times.length >= atLeast)) break
      times.push(this.#ms[index % CAPACITY] ?? 0)
    }
    if (times.length === 0) return { samples: 0, p95Ms: 0 }
    const rising = Float64Array.from(times).sort()
    return { samples: times.length, p95Ms: rising[nearestRank(0.95, rising.length) - 1] ?? 0 }
  }

  clear(): void {
    this.#next = 0
  }
}
