import { applyCommand } from './command.js'
import type { Draft } from './draft.js'
import { refuseEdit } from './refused-edit.js'
import type { Proposal } from './state.js'

/** The file holds what we decided, as it was at that version. */
export function written(
  draft: Draft,
  hash: string,
  {
    revision,
    version,
    aside,
  }: { readonly revision: number; readonly version: number; readonly aside?: string },
): void {
  const { store, proof, proposal } = draft.state
  draft.set({ highest: Math.max(draft.state.highest, revision), fromProvider: false })
  if (aside !== undefined) refuseEdit(draft, aside, revision)
  draft.setStore({
    seen: hash,
    attempts: 0,
    fault: null,
    unparsable: null,
    missing: false,
    edit: null,
    yieldUntilAt: null,
  })
  if (proposal !== null && proposal.version === version) {
    accept(draft, proposal)
    return
  }
  tellUpTo(draft, version)
  if (store.tripped !== null) draft.beginEpoch()
  if (version !== store.version) {
    // Something was decided meanwhile: it goes on top of what was written.
    draft.set({ known: { ...draft.state.known, revision: draft.state.highest + 1 } })
    draft.setStore({ tripped: null })
    return
  }
  draft.set({
    proof: {
      revision,
      decidedAt: store.rewrite ? (proof?.decidedAt ?? draft.at.now) : (store.dirtyAt ?? draft.at.now),
      seenAt: null,
      waitingSinceAt: null,
      rewritten: store.rewrite,
      alerted: false,
    },
  })
  const { timers } = draft.state
  // A step that was decided here counts for all only from now on.
  const isNewStep = store.dirtyAt !== null && timers.autoSinceAt >= store.dirtyAt
  if (draft.state.known.auto.state === 'recovering' && isNewStep)
    draft.set({ timers: { ...timers, autoSinceAt: draft.at.now } })
  draft.setStore({ dirtyAt: null, rewrite: false, tripped: null })
}

/** The move acts from now on; commands that came while it was being written go on top of it. */
function accept(draft: Draft, { override, transition }: Proposal): void {
  const { commands } = draft.state
  draft.effects.push({ kind: 'report', transition })
  draft.become(override)
  draft.set({
    proposal: null,
    reports: [],
    commands: [],
    proof: {
      revision: override.revision,
      decidedAt: draft.at.now,
      seenAt: null,
      waitingSinceAt: null,
      rewritten: false,
      alerted: false,
    },
  })
  draft.setStore({ dirtyAt: null, rewrite: false, tripped: null })
  for (const pending of commands) applyCommand(draft, pending)
}

function tellUpTo(draft: Draft, version: number): void {
  const { reports, commands, highest } = draft.state
  for (const report of reports)
    if (report.version <= version) draft.effects.push({ kind: 'report', transition: report.transition })
  draft.set({
    reports: reports
      .filter((report) => report.version > version)
      .map((report) => ({ ...report, transition: { ...report.transition, revision: highest + 1 } })),
    commands: commands.filter((command) => command.version > version),
  })
}
