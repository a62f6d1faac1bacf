import type { FallbackGuardrails } from '../evidence/evidence.js'

/** the hold grows by at most this share, so that not every installation tries again in the same second */
const JITTER_SHARE = 0.1

/** ms of the hold: doubles with each trip up to `maxHoldSeconds`; jitter (0 to 1) only lengthens. */
export function holdMs(trips: number, jitter: number, guardrails: FallbackGuardrails): number {
  const most = guardrails.maxHoldSeconds * 1000
  const doubled = guardrails.holdSeconds * 1000 * 2 ** Math.min(Math.max(trips, 1) - 1, 40)
  return Math.round(Math.min(most, doubled * (1 + JITTER_SHARE * jitter)))
}
