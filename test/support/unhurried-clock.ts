import { type Clock, systemClock } from '../../src/core/clock.js'

const FACTOR = 10

/**
 * The system's clock, ten times slower: where a test is not about time, a busy machine lets no bound run out (the 50 ms for
 * an answer by rpc are 500 here, the deadline of the gRPC call itself).
 */
export const unhurriedClock: Clock = {
  monotonic: () => systemClock.monotonic() / FACTOR,
  wall: systemClock.wall,
  schedule: (delayMs, callback) => systemClock.schedule(delayMs * FACTOR, callback),
}
