import type { Random } from '../simulation/random.js'

/** When turns come, as ms from one to the next. */
export interface Traffic {
  readonly name: string
  /** ms until the next turn; `index` counts the turns so far */
  gapMs(random: Random, index: number): number
}

/** ms of a gap of a Poisson process */
const exponential = (random: Random, meanMs: number): number => -Math.log(1 - random.next()) * meanMs

const BURST_TURNS = 30

/** At random instants, independent of each other. */
const steady = (name: string, meanMs: number): Traffic => ({
  name,
  gapMs: (random) => exponential(random, meanMs),
})

/** From a night's few turns to a busy hour, and turns that come in crowds with nothing between them. */
export const TRAFFIC = {
  light: steady('one turn a minute', 60_000),
  some: steady('one in 10 s', 10_000),
  bursty: {
    name: '30 within 15 s, then 10 min nothing',
    gapMs: (random, index) => exponential(random, index % BURST_TURNS === 0 ? 600_000 : 500),
  },
  steady: steady('2 a second', 500),
  busy: steady('10 a second', 100),
} as const satisfies Record<string, Traffic>
