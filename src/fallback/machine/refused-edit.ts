import type { Transition } from '../../journal/journal.js'
import type { Draft } from './draft.js'

/** ms an edit that was refused is told of: whoever made it may look at the status only then */
const TOLD_MS = 300_000

/** This replica replaced a file that could not be read: what was in it did not come into force, and somebody wanted it. */
export function refuseEdit(draft: Draft, aside: string, revision: number): void {
  const { unparsable } = draft.state.store
  if (unparsable === null) return
  const { detail } = unparsable
  draft.setStore({ refused: { detail, aside, untilAt: draft.at.now + TOLD_MS } })
  draft.effects.push({
    kind: 'report',
    transition: transitionOf(draft, `${detail}; kept as ${aside}`, revision),
  })
}

/** Another replica did so; it keeps the copy, and tells everybody. */
export function seeRefusedEdit(draft: Draft, detail: string): void {
  draft.setStore({ refused: { detail, untilAt: draft.at.now + TOLD_MS } })
}

export function forgetRefusedEdit(draft: Draft): void {
  const { refused } = draft.state.store
  if (refused !== null && draft.at.now >= refused.untilAt) draft.setStore({ refused: null })
}

/** Nothing changed by it but the file. */
function transitionOf({ state: { known, self }, at }: Draft, reason: string, revision: number): Transition {
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
