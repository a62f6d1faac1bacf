import type { Override } from '../store/override.js'
import { breachOf } from './auto-layer.js'
import { applyCommand } from './command.js'
import type { Draft } from './draft.js'
import { report } from './report.js'
import type { FallbackState } from './state.js'

/**
 * The store, or the provider, has something newer: what was pending is dropped, except commands and a breach that still
 * holds. It does not where others have tripped since, and are perhaps well again: what it was judged by is the leftovers of
 * that outage. Who is in breach itself while the others begin to recover stays with the direct LLM, alone.
 */
export function adopt(draft: Draft, override: Override, fromProvider = false): void {
  const { known: before, commands, highest, starting, store, isolated } = draft.state
  const told = withoutUntold(draft.state)
  const { judgedSince } = draft
  // The first that is seen is no change: nobody here can say what it came after.
  const isFirst = starting && highest === 0
  const { tripped } = store
  const isOvertaken = override.auto.state === 'fallback' || (!isFirst && override.trips >= before.trips)
  const lostTrip = isOvertaken ? null : tripped
  const isKnown = judgedSince !== undefined || highest > 0
  const wasReset =
    !isFirst &&
    (isReset(override, judgedSince) || (tripped !== null && isKnown && isResetSince(override, judgedSince)))
  const isSick = draft.evidence !== undefined && breachOf(draft.evidence, draft.guardrails) !== undefined
  const isLeftBehind = isSick && lostTrip === null && isTowardsRuntime(before, override)

  draft.become(override, judgedSince)
  draft.set({
    fromProvider,
    highest: Math.max(draft.state.highest, override.revision),
    reports: [],
    commands: [],
    isolated: override.auto.state !== 'fallback' && !wasReset && (isolated || isLeftBehind),
  })
  draft.setStore({
    dirtyAt: null,
    attempts: 0,
    rewrite: false,
    tripped: null,
    edit: null,
    yieldUntilAt: null,
  })
  if (wasReset) draft.resetHealth()
  else if (lostTrip !== null) draft.recall(lostTrip)
  if (!isFirst && isNewMeaning(told, override))
    draft.effects.push({ kind: 'adopted', transition: report(told, override, {}) })
  for (const pending of commands) applyCommand(draft, pending)
}

/** As far as anybody was told: a trip that never came into the store is not what somebody else ended. */
function withoutUntold({ known, store: { tripped }, reports }: FallbackState): Override {
  const isUntold = reports.some(({ transition: { kind } }) => kind === 'trip' || kind === 'relapse')
  return tripped === null || !isUntold ? known : { ...known, auto: tripped.auto, trips: tripped.trips }
}

/** Into or up the ramp, or from a fallback out of it; trips that are gone were ended by a person, for everybody. */
function isTowardsRuntime(before: Override, after: Override): boolean {
  if (after.auto.state === 'recovering') return before.auto.state !== 'recovering'
  return before.auto.state === 'fallback' && after.auto.state === 'normal' && after.trips > 0
}

/** A reset since the trip, though something else was written over it: no trips, and evidence that began anew. */
const isResetSince = ({ auto, trips, evidenceSince }: Override, judgedSince: number | undefined): boolean =>
  auto.state === 'normal' && trips === 0 && evidenceSince !== judgedSince

const isReset = (
  { auto, manual, trips, actor, evidenceSince }: Override,
  judgedSince: number | undefined,
): boolean =>
  actor === 'manual' &&
  auto.state === 'normal' &&
  manual.scope === 'none' &&
  trips === 0 &&
  evidenceSince !== judgedSince

function isNewMeaning(before: Override, after: Override): boolean {
  return (
    before.auto.state !== after.auto.state ||
    (before.auto.state === 'recovering' &&
      after.auto.state === 'recovering' &&
      before.auto.percent !== after.auto.percent) ||
    before.trips !== after.trips ||
    JSON.stringify(before.manual) !== JSON.stringify(after.manual)
  )
}
