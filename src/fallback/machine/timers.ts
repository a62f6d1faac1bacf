import type { ManualLayer, Override } from '../../store/override/override.js'
import type { FallbackGuardrails } from '../evidence/evidence.js'
import { holdMs } from './hold-time.js'
import type { Instant, Timers } from './state.js'

/** The instants that run from the first sight of an override on this replica's monotonic clock. */
export function timersOf(
  before: Override,
  after: Override,
  timers: Timers,
  { now }: Instant,
  guardrails: FallbackGuardrails,
): Timers {
  const manualUntilAt = isSameManual(before.manual, after.manual)
    ? timers.manualUntilAt
    : manualEnd(after, now)
  if (isSameStep(before, after)) return { ...timers, manualUntilAt }
  return {
    autoSinceAt: now,
    holdUntilAt: holdEnd(after, now, guardrails),
    goodSinceAt: after.auto.state === 'normal' ? now : null,
    manualUntilAt,
  }
}

/** A hold that the guardrails would make shorter by now ends when the shorter one does; a longer one begins with the next trip. */
export function shortenedHold(
  { auto, trips }: Override,
  timers: Timers,
  guardrails: FallbackGuardrails,
): Timers {
  if (auto.state !== 'fallback' || timers.holdUntilAt === null) return timers
  // The longest that the present guardrails can make: what they made themselves stays.
  const latest = timers.autoSinceAt + holdMs(trips, 1, guardrails)
  return timers.holdUntilAt <= latest ? timers : { ...timers, holdUntilAt: latest }
}

/** The same state and ramp step; `since` tells one fallback from the next. */
function isSameStep({ auto: a }: Override, { auto: b }: Override): boolean {
  if (a.state === 'normal') return b.state === 'normal'
  if (a.state === 'fallback') return b.state === 'fallback' && a.since === b.since
  return b.state === 'recovering' && a.percent === b.percent && a.since === b.since
}

/** A duration by the writer's clock, from first sight on ours; never longer than the longest hold. */
function holdEnd({ auto, updatedAt }: Override, now: number, guardrails: FallbackGuardrails): number | null {
  if (auto.state !== 'fallback') return null
  const duration = Math.max(0, auto.holdUntil - (updatedAt ?? auto.since))
  return now + Math.min(duration, guardrails.maxHoldSeconds * 1000)
}

function manualEnd({ manual, updatedAt }: Override, now: number): number | null {
  if (manual.scope === 'none' || manual.until === undefined) return null
  return now + Math.max(0, manual.until - (updatedAt ?? manual.until))
}

/** Ends at the same instant, also where it became another layer. */
function isSameManual(a: ManualLayer, b: ManualLayer): boolean {
  return (a.scope === 'none') === (b.scope === 'none') && untilOf(a) === untilOf(b)
}

const untilOf = (manual: ManualLayer): number | undefined =>
  manual.scope === 'none' ? undefined : manual.until

const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 30_000

/**
 * ms until a write that failed is tried again: twice as long each time.
 * @param attempts that failed in a row
 * @param jitter 0 to 1, random: up to half of the pause is left to chance
 */
export function retryMs(attempts: number, jitter: number): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)) * (0.5 + jitter / 2)
}
