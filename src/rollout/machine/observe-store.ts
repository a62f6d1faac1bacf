import { unreachable } from '../../core/errors.js'
import { NO_ROLLOUT, percentOf, planOf, type Rollout, type RolloutEdit } from '../../store/rollout/rollout.js'
import { isSameRollout } from '../../store/rollout/rollout-document.js'
import type { OpsMode } from '../rollout.js'
import { applyCommand } from './command.js'
import { lower } from './moves.js'
import type { RolloutSeen } from './state.js'
import type { StateUpdate } from './state-update.js'

/** ms an edit that was refused is told */
const REFUSED_MS = 300_000
/** Above it a number in a person's edit is no revision of ours: counting on from there would leave the safe integers. */
const MAX_REVISION = 2 ** 50

/**
 * What the file says of the rollout now. News of another replica are adopted, a person's edit is taken over or refused.
 * Compared by bytes: what was seen before says nothing new.
 */
export function observeStore(update: StateUpdate, seen: RolloutSeen, opsMode: OpsMode): void {
  if (seen.kind === 'failed') {
    update.setFile({ fault: seen.fault, isGood: false })
    return
  }
  const { file, starting } = update.state
  if (file.attempts === 0 && file.fault !== null) update.setFile({ fault: null })
  const isGood = seen.kind !== 'missing' && seen.kind !== 'unparsable'
  if (isGood !== file.isGood) update.setFile({ isGood })
  const content = seen.kind === 'missing' ? 'missing' : seen.hash
  if (starting || content !== file.seen) {
    update.setFile({ seen: content })
    take(update, seen, opsMode)
  }
  if (starting && isGood) update.set({ starting: false })
}

function take(update: StateUpdate, seen: Exclude<RolloutSeen, { kind: 'failed' }>, opsMode: OpsMode): void {
  switch (seen.kind) {
    case 'rollout':
      takeRollout(update, seen.rollout, seen.hash, opsMode)
      return
    case 'hand_edit': {
      const { revision = 0, edit } = seen
      if (revision > update.state.highest && revision <= MAX_REVISION) update.set({ highest: revision })
      handEdit(update, edit)
      return
    }
    case 'absent':
      // The person who removed it did not know whose it is, or the file was written again without it.
      if (!isSameRollout(update.state.stored, NO_ROLLOUT)) update.rewrite(update.state.force.actor)
      return
    case 'missing':
    case 'unparsable':
      // The fallback writes the file anew; then the flag is absent.
      return
    default:
      unreachable(seen)
  }
}

function takeRollout(update: StateUpdate, rollout: Rollout, hash: string, opsMode: OpsMode): void {
  const { pending, stored, highest, starting } = update.state
  if (pending !== null && isSameRollout(rollout, pending.after)) {
    written(update, { hash, rollout, version: pending.version })
    return
  }
  // Another flag of the file changed.
  if (!starting && isSameRollout(rollout, stored)) return
  if (starting || rollout.revision >= highest) adopt(update, rollout, opsMode)
  // An older document was put back by a person.
  else handEdit(update, { kind: 'progress', progress: rollout.progress })
}

/** The store has something newer: what was pending is dropped, but a person's commands and a breach that still holds. */
function adopt(update: StateUpdate, rollout: Rollout, opsMode: OpsMode): void {
  const { pending, force, highest, starting } = update.state
  update.set({ pending: null, stored: rollout, highest: Math.max(highest, rollout.revision) })
  update.setFile({ attempts: 0, fault: null })
  update.take(rollout)
  if (!starting) update.adopted(force, rollout)
  const { progress } = rollout
  const left = pending?.left ?? null
  if (left !== null && progress.state === 'running' && progress.stage >= left.stage)
    lower(update, progress, left.breach)
  for (const command of pending?.commands ?? []) applyCommand(update, command, opsMode)
}

/** The file holds what was decided, as it was at that version. */
export function written(
  update: StateUpdate,
  { hash, rollout, version }: { readonly hash: string; readonly rollout: Rollout; readonly version: number },
): void {
  const { pending, highest } = update.state
  update.set({ stored: rollout, highest: Math.max(highest, rollout.revision), refused: keptRefusal(update) })
  update.setFile({ seen: hash, attempts: 0, fault: null })
  if (pending === null) {
    update.take(rollout)
    return
  }
  for (const report of pending.reports)
    if (report.version <= version) update.effects.push({ kind: 'report', change: report.change })
  if (pending.version === version) {
    update.set({ pending: null })
    update.take(rollout)
    return
  }
  // Something was decided meanwhile: it goes on top of what was written.
  update.set({
    pending: { ...pending, reports: pending.reports.filter((report) => report.version > version) },
  })
  update.renumber()
}

function keptRefusal({ state, at }: StateUpdate) {
  return state.refused !== null && at.now < state.refused.untilAt ? state.refused : null
}

/** A person's word by the file: the latest there is. One that is refused undoes nothing that was decided meanwhile. */
function handEdit(update: StateUpdate, edit: RolloutEdit): void {
  const { progress } = update.state.force
  switch (edit.kind) {
    case 'abort':
      dropPending(update)
      abortByHand(update)
      return
    case 'progress':
      dropPending(update)
      if (percentOf(edit.progress) === 0) abortByHand(update)
      else update.decide(edit.progress, { ...BY_HAND, newEvidence: true })
      return
    case 'stage': {
      if (progress.state === 'none' || progress.state === 'ended') {
        refuse(update, 'there is no rollout under way; start one by the API or the command line')
        return
      }
      dropPending(update)
      const at = { plan: progress.plan, stage: edit.stage, since: Math.round(update.at.wall) }
      const edited =
        progress.state === 'paused'
          ? ({ ...at, state: 'paused', reason: progress.reason } as const)
          : ({ ...at, state: 'running' } as const)
      update.decide(edited, { ...BY_HAND, newEvidence: true })
      return
    }
    case 'refused':
      refuse(update, edit.detail)
      return
    default:
      unreachable(edit)
  }
}

/** What acted already is told. */
function dropPending(update: StateUpdate): void {
  const { pending } = update.state
  if (pending?.acts === 'now')
    for (const { change } of pending.reports) update.effects.push({ kind: 'report', change })
  update.set({ pending: null })
}

const BY_HAND = { kind: 'hand_edit', actor: 'manual', acts: 'now', by: 'person' } as const

function abortByHand(update: StateUpdate): void {
  const { progress } = update.state.force
  const plan = planOf(progress)
  if (plan === undefined || progress.state === 'ended') {
    update.rewrite('manual')
    return
  }
  const since = Math.round(update.at.wall)
  update.decide({ state: 'ended', plan, how: 'aborted', since, reason: '' }, BY_HAND)
}

/** The present state is written in its place, with what a person or a breach changed in it meanwhile. */
function refuse(update: StateUpdate, detail: string): void {
  if (update.state.pending?.acts !== 'now') update.set({ pending: null })
  const left = update.state.pending?.left ?? null
  update.set({ refused: { detail, untilAt: update.at.now + REFUSED_MS } })
  update.decide(update.state.force.progress, {
    ...BY_HAND,
    kind: 'hand_edit_refused',
    reason: detail,
    left,
  })
}
