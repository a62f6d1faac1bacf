import { isTripKind } from '../../protocol/fallback.js'
import { isSameScope } from '../../protocol/fallback-scope.js'
import { type Override, scopeOfAuto } from '../../store/override/override.js'
import { insideOf } from '../evidence/evidence.js'
import { adoptionOf } from './adoption.js'
import { breachOf } from './auto-layer.js'
import { applyCommand } from './command.js'
import { report } from './report.js'
import { type FallbackState, judgedScope } from './state.js'
import type { StateUpdate } from './state-update.js'

/**
 * The store, or the provider, has something newer: what was pending is dropped, except commands and a breach that still
 * holds. What becomes of the rest is decided in `adoptionOf`.
 */
export function adoptOverride(update: StateUpdate, override: Override, fromProvider = false): void {
  const { commands, highest, starting, epoch } = update.state
  const told = withoutUntold(update.state)
  // The first that is seen is no change: nobody here can say what it came after.
  const isFirst = starting && highest === 0
  const isSick =
    update.evidence !== undefined &&
    breachOf(insideOf(update.evidence, judgedScope(update.state)), update.guardrails) !== undefined
  const adoption = adoptionOf(update.state, override, { isFirst, isSick })

  update.become(override)
  update.set({
    fromProvider,
    highest: Math.max(update.state.highest, override.revision),
    reports: [],
    commands: [],
    isolated: adoption.isolated,
    isolatedTo: adoption.isolatedTo,
  })
  update.setStore({
    dirtyAt: null,
    attempts: 0,
    rewrite: false,
    tripped: null,
    edit: null,
    yieldUntilAt: null,
  })
  if (adoption.forgetsProbes) update.resetHealth()
  if (adoption.recalls) update.recall(epoch)
  if (!isFirst && isNewMeaning(told, override))
    update.effects.push({ kind: 'adopted', transition: report(told, override, {}) })
  if (adoption.holds !== undefined) update.holds = adoption.holds
  for (const pending of commands) applyCommand(update, pending)
}

/** As far as anybody was told: a trip that never came into the store is not what somebody else ended. */
function withoutUntold({ known, store: { tripped }, reports }: FallbackState): Override {
  const isUntold = reports.some(({ transition: { kind } }) => kind !== undefined && isTripKind(kind))
  return tripped === null || !isUntold ? known : { ...known, auto: tripped.auto, trips: tripped.trips }
}

function isNewMeaning(before: Override, after: Override): boolean {
  return (
    before.auto.state !== after.auto.state ||
    (before.auto.state === 'recovering' &&
      after.auto.state === 'recovering' &&
      before.auto.percent !== after.auto.percent) ||
    before.trips !== after.trips ||
    !isSameScope(scopeOfAuto(before.auto), scopeOfAuto(after.auto)) ||
    JSON.stringify(before.manual) !== JSON.stringify(after.manual)
  )
}
