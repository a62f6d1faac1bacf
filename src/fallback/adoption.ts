import type { Override } from '../store/override.js'
import type { FallbackState } from './state.js'

/** What a newer override of somebody else means for what this replica held itself. */
export type AdoptionKind =
  /** in `fallback` as well: whatever tripped here is answered */
  | 'fell_back'
  /** a person's reset: ends a trip of ours, an isolation, and what the probes have shown */
  | 'was_reset'
  /** a trip of ours lost its race: what it was judged by counts once more, upon theirs */
  | 'trip_lost'
  /**
   * They begin to recover while this replica is in breach: it stays with the direct LLM, alone. Also where they have fallen
   * back and begun to recover since a trip of ours was decided: what that was judged by is the leftovers of that outage.
   */
  | 'left_behind'
  /** nothing of ours stands against it */
  | 'followed'

export interface Adoption {
  readonly isolated: boolean
  readonly forgetsProbes: boolean
  /** the evidence of the trip that lost its race counts once more */
  readonly recalls: boolean
}

export interface AdoptionContext {
  /** the first that is seen at all: it ends nothing */
  readonly isFirst: boolean
  /** in breach by what this replica knows itself */
  readonly isSick: boolean
}

type Held = Pick<FallbackState, 'known' | 'highest' | 'isolated' | 'epoch'> & {
  readonly store: Pick<FallbackState['store'], 'tripped'>
}

/** What follows from each; `isolated` is whether this replica was so before. */
const ADOPTIONS: Readonly<Record<AdoptionKind, (isolated: boolean) => Adoption>> = {
  fell_back: () => ({ isolated: false, forgetsProbes: false, recalls: false }),
  was_reset: () => ({ isolated: false, forgetsProbes: true, recalls: false }),
  trip_lost: (isolated) => ({ isolated, forgetsProbes: false, recalls: true }),
  left_behind: () => ({ isolated: true, forgetsProbes: false, recalls: false }),
  followed: (isolated) => ({ isolated, forgetsProbes: false, recalls: false }),
}

export function adoptionOf(held: Held, override: Override, context: AdoptionContext): Adoption {
  return ADOPTIONS[adoptionKind(held, override, context)](held.isolated)
}

/** The first of these that applies. Pure. */
export function adoptionKind(
  held: Held,
  override: Override,
  { isFirst, isSick }: AdoptionContext,
): AdoptionKind {
  const { known, store } = held
  const isTripped = store.tripped !== null
  if (override.auto.state === 'fallback') return 'fell_back'
  if (!isFirst && (isReset(held, override) || (isTripped && isResetSince(held, override)))) return 'was_reset'
  if (isTripped && (isFirst || override.trips < known.trips)) return 'trip_lost'
  return isSick && isTowardsRuntime(known, override) ? 'left_behind' : 'followed'
}

/** Into or up the ramp, or from a fallback out of it; trips that are gone were ended by a person, for everybody. */
function isTowardsRuntime(before: Override, after: Override): boolean {
  if (after.auto.state === 'recovering') return before.auto.state !== 'recovering'
  return before.auto.state === 'fallback' && after.auto.state === 'normal' && after.trips > 0
}

const isReset = (held: Held, override: Override): boolean =>
  override.actor === 'manual' && override.manual.scope === 'none' && isNormalAnew(held, override)

/** A reset since the trip, though something else was written over it. Who knows nothing yet cannot tell. */
const isResetSince = (held: Held, override: Override): boolean =>
  (held.epoch.since !== null || held.highest > 0) && isNormalAnew(held, override)

/** No trips, and evidence that began anew. */
const isNormalAnew = ({ epoch }: Held, { auto, trips, evidenceSince }: Override): boolean =>
  auto.state === 'normal' && trips === 0 && (evidenceSince ?? null) !== epoch.since
