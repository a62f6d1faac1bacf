import { applyCommand } from './command.js'
import { refuseEdit } from './refused-edit.js'
import type { Proposal } from './state.js'
import type { StateUpdate } from './state-update.js'

/** The file holds what we decided, as it was at that version. */
export function recordWrite(
  update: StateUpdate,
  hash: string,
  {
    revision,
    version,
    aside,
  }: { readonly revision: number; readonly version: number; readonly aside?: string },
): void {
  const { store, proof, proposal } = update.state
  update.set({ highest: Math.max(update.state.highest, revision), fromProvider: false })
  if (aside !== undefined) refuseEdit(update, aside, revision)
  update.setStore({
    seen: hash,
    attempts: 0,
    fault: null,
    unparsable: null,
    missing: false,
    edit: null,
    yieldUntilAt: null,
  })
  if (proposal !== null && proposal.version === version) {
    accept(update, proposal)
    return
  }
  tellUpTo(update, version)
  if (store.tripped !== null) update.beginEpoch()
  if (version !== store.version) {
    // Something was decided meanwhile: it goes on top of what was written.
    update.set({ known: { ...update.state.known, revision: update.state.highest + 1 } })
    update.setStore({ tripped: null })
    return
  }
  update.set({
    proof: {
      revision,
      decidedAt: store.rewrite ? (proof?.decidedAt ?? update.at.now) : (store.dirtyAt ?? update.at.now),
      seenAt: null,
      waitingSinceAt: null,
      rewritten: store.rewrite,
      alerted: false,
    },
  })
  const { timers } = update.state
  // A step that was decided here counts for all only from now on.
  const isNewStep = store.dirtyAt !== null && timers.autoSinceAt >= store.dirtyAt
  if (update.state.known.auto.state === 'recovering' && isNewStep)
    update.set({ timers: { ...timers, autoSinceAt: update.at.now } })
  update.setStore({ dirtyAt: null, rewrite: false, tripped: null })
}

/** The move acts from now on; commands that came while it was being written go on top of it. */
function accept(update: StateUpdate, { override, transition }: Proposal): void {
  const { commands } = update.state
  update.effects.push({ kind: 'report', transition })
  update.become(override)
  update.set({
    proposal: null,
    reports: [],
    commands: [],
    proof: {
      revision: override.revision,
      decidedAt: update.at.now,
      seenAt: null,
      waitingSinceAt: null,
      rewritten: false,
      alerted: false,
    },
  })
  update.setStore({ dirtyAt: null, rewrite: false, tripped: null })
  for (const pending of commands) applyCommand(update, pending)
}

function tellUpTo(update: StateUpdate, version: number): void {
  const { reports, commands, highest } = update.state
  for (const report of reports)
    if (report.version <= version) update.effects.push({ kind: 'report', transition: report.transition })
  update.set({
    reports: reports
      .filter((report) => report.version > version)
      .map((report) => ({ ...report, transition: { ...report.transition, revision: highest + 1 } })),
    commands: commands.filter((command) => command.version > version),
  })
}
