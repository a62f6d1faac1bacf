import type { Permission } from './endpoint-rest.js'

/** An endpoint of a route as it is now. */
export interface EndpointView {
  readonly name: string
  readonly permission: Permission
  /** a place is free */
  readonly free: boolean
  /** monotonic ms; while it rests */
  readonly restEndsAt?: number
}

export type Choice =
  | { readonly kind: 'take'; readonly name: string; readonly probe: boolean }
  /** `place`: all that work are full; `rest`: all rest, and one may be back soon. `wakeAt`: monotonic ms, the next rest's end. */
  | { readonly kind: 'wait'; readonly for: 'place' | 'rest'; readonly wakeAt: number | undefined }
  | { readonly kind: 'refuse' }

/**
 * Which endpoint of its route a turn asks: the first that works or is due for a probe and has a place. Where all rest, one
 * is tried before its time, as far as `takeEarly` lets it. Pure.
 */
export function choose(
  route: readonly EndpointView[],
  now: number,
  takeEarly: (name: string) => boolean,
): Choice {
  for (const { name, permission, free } of route) {
    if (free && permission === 'free') return { kind: 'take', name, probe: false }
    if (free && permission === 'probe') return { kind: 'take', name, probe: true }
  }
  const ends = route.flatMap(({ restEndsAt: at }) => (at === undefined || at <= now ? [] : [at]))
  const wakeAt = ends.length === 0 ? undefined : Math.min(...ends)
  if (route.some(({ permission }) => permission === 'free')) return { kind: 'wait', for: 'place', wakeAt }
  for (const { name, permission, free } of route)
    if (free && permission === 'early' && takeEarly(name)) return { kind: 'take', name, probe: true }
  return route.length === 0 ? { kind: 'refuse' } : { kind: 'wait', for: 'rest', wakeAt }
}
