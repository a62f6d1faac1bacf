import type { WindowMetrics } from '../../protocol/fallback.js'
import { RecentOutcomes } from './recent-outcomes.js'
import { SlidingWindow } from './sliding-window.js'
import type { Observed } from './window-counts.js'

/** Slices of a busy org's window: 30 s of five minutes. Coarser than the overall one, for there are thousands. */
export const ORG_PARTS = 10

/**
 * One org's executions in one mode over the last `windowMs`: one by one while they are few, in slices once they are
 * more than 256, and one by one again after it was empty. Times are monotonic ms.
 */
export class OrgWindow {
  #windowMs: number
  #held: RecentOutcomes | SlidingWindow

  constructor(windowMs: number) {
    this.#windowMs = windowMs
    this.#held = new RecentOutcomes(windowMs)
  }

  /** about what it takes in memory */
  get bytes(): number {
    return this.#held.bytes
  }

  record(now: number, observed: Observed): void {
    this.#held = this.#fitting(now)
    this.#held.record(now, observed)
  }

  read(now: number): WindowMetrics {
    return this.#held.read(now)
  }

  resize(now: number, windowMs: number): void {
    this.#windowMs = windowMs
    this.#held.resize(now, windowMs)
  }

  #fitting(now: number): RecentOutcomes | SlidingWindow {
    const held = this.#held
    if (held instanceof SlidingWindow) return held.isEmpty(now) ? new RecentOutcomes(this.#windowMs) : held
    if (!held.isFull(now)) return held
    const sliced = new SlidingWindow(this.#windowMs, ORG_PARTS)
    held.replay((at, observed) => sliced.record(at, observed))
    return sliced
  }
}
