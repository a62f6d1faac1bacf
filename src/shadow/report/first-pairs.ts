import type { KeptPair } from '../../journal/comparison.js'
import type { PairSort } from '../../protocol/shadow-pairs.js'
import { differenceOf, type PairDifference } from './pair-difference.js'

export interface RankedPair extends PairDifference {
  readonly pair: KeptPair
}

/** The first pairs in an order; holds twice as many at most, however many are added. */
export class FirstPairs {
  #held: RankedPair[] = []
  #compared = 0

  constructor(
    private readonly sort: PairSort,
    private readonly limit: number,
  ) {}

  add(pair: KeptPair): void {
    this.#compared += 1
    this.#held.push({ pair, ...differenceOf(pair) })
    if (this.#held.length >= 2 * this.limit) this.#held = this.#first()
  }

  /** pairs added */
  get compared(): number {
    return this.#compared
  }

  pairs(): readonly RankedPair[] {
    return this.#first()
  }

  #first(): RankedPair[] {
    return this.#held.sort(ORDERS[this.sort]).slice(0, this.limit)
  }
}

const newer = (a: RankedPair, b: RankedPair): number => b.pair.at - a.pair.at
const ORDERS = {
  difference: (a: RankedPair, b: RankedPair): number => b.difference - a.difference || newer(a, b),
  newest: newer,
} as const satisfies Record<PairSort, unknown>
