import type { Clock } from '../../core/clock.js'
import { isJudged, type JudgedResult } from '../../protocol/execution-results.js'
import { FailureStreak } from './failure-streak.js'
import { FirstContents } from './first-contents.js'
import { boundedMs } from './latency-sketch.js'
import { TallyRing, TallySum } from './tally-ring.js'
import type { JudgedWindow, Tally } from './windows.js'

/** ms; a window of one second, the shortest there is, has 40 of them */
const FINEST_MS = 25
const WIDENING = 4
/** From 3 s to two days of reach: each guardrail's window (1 s to 24 h) has a ring that suits it. */
const RINGS = 9

/**
 * The guardrails may ask for another window at each tick, so each outcome goes into nine rings of slices, 25 ms to 27 min
 * wide, and a reading takes the finest one that reaches far enough. A reading of `w` ms holds all that was recorded in the
 * last `w` and at most w/31 (25 ms at least) beyond. About 55 kB, whatever it holds, and 32 kB for the times to the first content.
 */
export function createJudgedWindow(clock: Clock): JudgedWindow {
  const rings = Array.from({ length: RINGS }, (_, at) => new TallyRing(FINEST_MS * WIDENING ** at))
  const streak = new FailureStreak()
  const firstContents = new FirstContents()
  let since = Number.NEGATIVE_INFINITY
  return {
    record(outcome) {
      if (!isJudged(outcome.result) || outcome.startedAt < since) return
      const now = clock.monotonic()
      streak.record(now, outcome.result, outcome.sessionId ?? '')
      if (outcome.firstContentMs !== undefined) firstContents.record(now, boundedMs(outcome.firstContentMs))
      const [error, timeout] = faultOf(outcome.result)
      const latencyMs = boundedMs(outcome.latencyMs)
      for (const ring of rings) ring.add(now, error, timeout, latencyMs)
    },
    tally: (windowMs) => newest(rings, clock.monotonic(), windowMs, 0, windowMs),
    newest: (fastMs, atLeast, windowMs) =>
      newest(rings, clock.monotonic(), Math.min(fastMs, windowMs), atLeast, windowMs),
    streak: (atMost) => streak.read(clock.monotonic(), atMost),
    firstContent: (fastMs, atLeast, windowMs) =>
      firstContents.read(clock.monotonic(), Math.min(fastMs, windowMs), atLeast, windowMs),
    restart(from) {
      since = from
      streak.clear()
      firstContents.clear()
      for (const ring of rings) ring.clear()
    },
  }
}

function faultOf(result: JudgedResult): readonly [error: 0 | 1, timeout: 0 | 1] {
  switch (result) {
    case 'ok':
      return [0, 0]
    case 'error':
      return [1, 0]
    case 'timeout':
      return [1, 1]
  }
}

/**
 * Every width is tried in turn, the finest that reaches `fastMs` first: at most 9 × 128 slices. The sum ends with the first slice,
 * used or not, that is older than `fastMs` and finds `atLeast` in it.
 */
function newest(
  rings: readonly TallyRing[],
  now: number,
  fastMs: number,
  atLeast: number,
  windowMs: number,
): Tally {
  const widest = rings.at(-1)
  let sum = new TallySum()
  for (const ring of rings) {
    if (ring.reachMs < fastMs && ring !== widest) continue
    sum = new TallySum()
    const last = ring.sliceOf(now - Math.min(windowMs, ring.reachMs))
    const current = ring.sliceOf(now)
    const isOlder = (slice: number): boolean => slice * ring.widthMs <= now - fastMs
    for (let slice = ring.newestUsed; slice >= last; slice = ring.usedBefore(slice)) {
      if (slice > current) continue
      if (sum.total >= atLeast && isOlder(slice + 1)) return sum
      ring.sumUp(slice, sum)
    }
    if (sum.total >= atLeast && isOlder(last)) return sum
    if (ring.reachMs >= windowMs) return sum
  }
  return sum
}
