import { includesScope, type Scope } from '../../protocol/fallback-scope.js'
import { type AutoLayer, type Override, scopeOfAuto, type Trip } from '../../store/override/override.js'
import type { FallbackState } from './state.js'

/** What a newer override of somebody else means for what this replica held itself. */
export type AdoptionKind =
  /** in `fallback` as well, for all of ours: whatever tripped here is answered */
  | 'fell_back'
  /** in `fallback` for others than a trip of ours that still holds: that is to join theirs */
  | 'fell_back_apart'
  /** a person's reset: ends a trip of ours, an isolation, and what the probes have shown */
  | 'was_reset'
  /** a trip of ours lost its race: what it was judged by counts once more, upon theirs */
  | 'trip_lost'
  /** ... and was for a scope that is still in breach by itself: everybody together need not be, by now */
  | 'scoped_trip_lost'
  /**
   * They begin to recover while this replica is in breach: it stays with the direct LLM, alone. Also where they have fallen
   * back and begun to recover since a trip of ours was decided: what that was judged by is the leftovers of that outage.
   */
  | 'left_behind'
  /** nothing of ours stands against it */
  | 'followed'

export interface Adoption {
  readonly isolated: boolean
  /** null: for everybody, or not isolated */
  readonly isolatedTo: Scope | null
  readonly forgetsProbes: boolean
  /** the evidence of the trip that lost its race counts once more */
  readonly recalls: boolean
  /** a trip of ours that still holds, whatever everybody's executions say */
  readonly holds?: HeldTrip
}

/** A trip that was decided here and is not in the store; without a scope: for everybody. */
export interface HeldTrip {
  readonly trip: Trip
  readonly scope?: Scope
}

export interface AdoptionContext {
  /** the first that is seen at all: it ends nothing */
  readonly isFirst: boolean
  /** in breach by what this replica knows itself */
  readonly isSick: boolean
}

type Held = Pick<FallbackState, 'known' | 'highest' | 'isolated' | 'isolatedTo' | 'epoch'> & {
  readonly store: Pick<FallbackState['store'], 'tripped'>
}

const NOTHING = { forgetsProbes: false, recalls: false } as const
const TOGETHER = { isolated: false, isolatedTo: null } as const

/** What follows from each. */
const ADOPTIONS: Readonly<Record<AdoptionKind, (held: Held, override: Override) => Adoption>> = {
  fell_back: (held, override) => ({ ...isolationUnder(held, override), ...NOTHING }),
  fell_back_apart: (held) => ({ ...TOGETHER, ...NOTHING, ...heldTrip(held) }),
  was_reset: () => ({ ...TOGETHER, forgetsProbes: true, recalls: false }),
  trip_lost: (held) => ({ ...isolationOf(held), forgetsProbes: false, recalls: true }),
  scoped_trip_lost: (held) => ({
    ...isolationOf(held),
    forgetsProbes: false,
    recalls: true,
    ...heldTrip(held),
  }),
  left_behind: (held, override) => ({ isolated: true, isolatedTo: leftScope(held, override), ...NOTHING }),
  followed: (held) => ({ ...isolationOf(held), ...NOTHING }),
}

export function adoptionOf(held: Held, override: Override, context: AdoptionContext): Adoption {
  return ADOPTIONS[adoptionKind(held, override, context)](held, override)
}

/** The first of these that applies. Pure. */
export function adoptionKind(
  held: Held,
  override: Override,
  { isFirst, isSick }: AdoptionContext,
): AdoptionKind {
  const { known, store } = held
  const { tripped } = store
  if (override.auto.state === 'fallback')
    return tripped !== null && isSick && canJoin(known.auto, override.auto) ? 'fell_back_apart' : 'fell_back'
  if (!isFirst && (isReset(held, override) || (tripped !== null && isResetSince(held, override))))
    return 'was_reset'
  if (tripped !== null && (isFirst || override.trips <= tripped.trips))
    return isSick && scopeOfAuto(known.auto) !== undefined ? 'scoped_trip_lost' : 'trip_lost'
  return isSick && isTowardsRuntime(known, override) ? 'left_behind' : 'followed'
}

/**
 * Of two scopes the union. One of orgs and one of agents have none but everybody, for whom neither was decided: there the
 * evidence that comes decides anew.
 */
function canJoin(ours: AutoLayer, theirs: AutoLayer): boolean {
  const [our, their] = [scopeOfAuto(ours), scopeOfAuto(theirs)]
  if (ours.state !== 'fallback' || includesScope(their, our)) return false
  return our === undefined || our.dimension === their?.dimension
}

function heldTrip({ known: { auto } }: Held): Pick<Adoption, 'holds'> {
  if (auto.state === 'normal') return {}
  const { trip, scope } = auto
  return { holds: scope === undefined ? { trip } : { trip, scope } }
}

const isolationOf = ({ isolated, isolatedTo }: Held): Pick<Adoption, 'isolated' | 'isolatedTo'> => ({
  isolated,
  isolatedTo,
})

/** Who is isolated for more than others fall back for stays so. */
function isolationUnder(held: Held, { auto }: Override): Pick<Adoption, 'isolated' | 'isolatedTo'> {
  const isAnswered = includesScope(scopeOfAuto(auto), held.isolatedTo ?? undefined)
  return !held.isolated || isAnswered ? TOGETHER : isolationOf(held)
}

/** It was in breach for whom it was in fallback, or for whom they are. */
function leftScope({ known, isolated, isolatedTo }: Held, override: Override): Scope | null {
  if (isolated) return isolatedTo
  return scopeOfAuto(known.auto.state === 'normal' ? override.auto : known.auto) ?? null
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
