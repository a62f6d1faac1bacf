import type { ProvidedOverride, WhoseOverride } from './fallback.js'
import type { FallbackState } from './state.js'

export type Standing = {
  readonly isolated: boolean
  readonly starting: boolean
  readonly store: Pick<FallbackState['store'], 'tripped' | 'dirtyAt'>
  readonly known: Pick<FallbackState['known'], 'revision'>
}

/** Whose word on the override counts for a turn: the first of these that applies. The one place that knows. Pure. */
export function whoseOverride(
  { isolated, starting, store, known }: Standing,
  provided: ProvidedOverride,
): WhoseOverride {
  if (isolated) return 'isolated'
  // Memory first: others may be writing the override without pause, and none of them knows of this trip yet.
  if (store.tripped !== null) return 'tripped'
  // Nothing was read yet, and nothing decided either.
  if (starting && store.dirtyAt === null) return 'provider'
  // Ties go to the provider: it has the file.
  return (provided.revision ?? -1) >= known.revision ? 'provider' : 'own'
}
