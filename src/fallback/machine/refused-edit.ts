import type { Transition } from '../../journal/journal.js'
import type { StateUpdate } from './state-update.js'

/** ms for which a refused edit is reported: the person who made it may look at the status only then */
const TOLD_MS = 300_000

/** This replica replaced a file that could not be read: what was in it did not come into force, and somebody wanted it. */
export function refuseEdit(update: StateUpdate, aside: string, revision: number): void {
  const { unparsable } = update.state.store
  if (unparsable === null) return
  const { detail } = unparsable
  update.setStore({ refused: { detail, aside, untilAt: update.at.now + TOLD_MS } })
  update.effects.push({
    kind: 'report',
    transition: transitionOf(update, `${detail}; kept as ${aside}`, revision),
  })
}

/** Another replica did so; it keeps the copy, and tells everybody. */
export function seeRefusedEdit(update: StateUpdate, detail: string): void {
  update.setStore({ refused: { detail, untilAt: update.at.now + TOLD_MS } })
}

export function forgetRefusedEdit(update: StateUpdate): void {
  const { refused } = update.state.store
  if (refused !== null && update.at.now >= refused.untilAt) update.setStore({ refused: null })
}

/** Nothing changed by it but the file. */
function transitionOf(
  { state: { known, self }, at }: StateUpdate,
  reason: string,
  revision: number,
): Transition {
  const { auto, manual, trips } = known
  return {
    at: at.wall,
    kind: 'hand_edit_refused',
    from: auto.state,
    to: auto.state,
    manualFrom: manual.scope,
    manualTo: manual.scope,
    actor: 'manual',
    replica: self.replica,
    trips,
    revision,
    reason,
  }
}
