import type { Actor, FallbackCause } from '../../protocol/fallback.js'
import type { Scope } from '../../protocol/fallback-scope.js'

/** Instants here are wall-clock ms since the epoch, as the writer's clock had them: for people, and for durations
 * between two of the same write. Between machines they decide nothing. */

/**
 * What tripped. `value` and `threshold`: rates 0 to 1, latency in ms, health in failed probes; both 0 for `manual`: a
 * manual fallback of all whose time was over, handed to the automatic layer in `recovering`.
 */
export interface Trip {
  readonly cause: FallbackCause
  readonly value: number
  readonly threshold: number
}

/** The automatic layer: for everybody, or for a scope. */
export type AutoLayer =
  | { readonly state: 'normal' }
  | (Tripped & { readonly state: 'fallback'; readonly holdUntil: number })
  | (Tripped & { readonly state: 'recovering'; readonly percent: number })

interface Tripped {
  readonly trip: Trip
  readonly since: number
  /** absent: everybody */
  readonly scope?: Scope
}

/** Whom the automatic layer acts on, where that is not everybody. */
export function scopeOfAuto(auto: AutoLayer): Scope | undefined {
  return auto.state === 'normal' ? undefined : auto.scope
}

/** Whom a scoped manual fallback covers: orgs by id, or a targeting rule that a person wrote into the file. */
export type ManualTarget =
  | { readonly kind: 'orgs'; readonly orgIds: readonly string[] }
  /** `rule` is JsonLogic that yields `"on"`, `"off"` or null; null means `otherwise` */
  | { readonly kind: 'rule'; readonly rule: unknown; readonly otherwise: 'on' | 'off' }

/** The manual layer. Only a person, or `until`, ends it. */
export type ManualLayer =
  | { readonly scope: 'none' }
  | { readonly scope: 'all'; readonly reason: string; readonly until?: number }
  | {
      readonly scope: 'orgs'
      readonly target: ManualTarget
      readonly reason: string
      readonly until?: number
    }

/** All that the flag `chat-runtime-fallback` says. The flag in effect is the union of both layers. */
export interface Override {
  readonly auto: AutoLayer
  readonly manual: ManualLayer
  readonly trips: number
  /** set by each change of state, each ramp step and each reset: only executions started after it are judged */
  readonly evidenceSince?: number
  /** +1 a write */
  readonly revision: number
  /** who wrote it */
  readonly replica?: string
  readonly actor: Actor
  readonly updatedAt?: number
}

/** Nothing is overridden: the template as shipped. */
export const NEUTRAL: Override = {
  auto: { state: 'normal' },
  manual: { scope: 'none' },
  trips: 0,
  revision: 0,
  actor: 'auto',
}

/** A person's wish, read from a flag that was not written by a replica. */
export type HandEdit =
  /** `on` for all, or a targeting of their own: becomes the manual layer */
  | { readonly kind: 'manual'; readonly manual: Exclude<ManualLayer, { scope: 'none' }> }
  | { readonly kind: 'reset' }
