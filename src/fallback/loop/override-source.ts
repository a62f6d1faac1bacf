import { covers, type ScopeSubject } from '../../protocol/fallback-scope.js'
import type { OverrideSource, ProvidedOverride } from '../fallback.js'
import type { FallbackState } from '../machine/state.js'

export type Standing = {
  readonly isolated: boolean
  readonly isolatedTo: FallbackState['isolatedTo']
  readonly starting: boolean
  readonly store: Pick<FallbackState['store'], 'tripped' | 'dirtyAt'>
  readonly known: Pick<FallbackState['known'], 'revision'>
}

/**
 * Whose word on the override counts for a turn: the first of these that applies. The one place that knows. Pure.
 *
 * @param isOwnOn whether this replica's own override is on for the subject
 */
export function overrideSource(
  { isolated, isolatedTo, starting, store, known }: Standing,
  provided: ProvidedOverride,
  subject: ScopeSubject,
  isOwnOn: () => boolean,
): OverrideSource {
  if (isolated && covers(isolatedTo ?? undefined, subject)) return 'isolated'
  // Memory first: others may be writing the override without pause, and none of them knows of this trip yet.
  if (store.tripped !== null && isOwnOn()) return 'tripped'
  // Nothing was read yet, and nothing decided either.
  if (starting && store.dirtyAt === null) return 'provider'
  const revision = provided.revision ?? -1
  // Ties go to the provider, which has the file; where it only says what others got, our own document tells of the caller.
  if (revision === known.revision) return provided.isGuess === true ? 'own' : 'provider'
  return revision > known.revision ? 'provider' : 'own'
}
