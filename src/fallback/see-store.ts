import { unreachable } from '../core/errors.js'
import type { HandEdit, Override } from '../store/override.js'
import { handEditOf } from '../store/override-document.js'
import { breachOf } from './auto-layer.js'
import { applyCommand, reset } from './command.js'
import type { Draft } from './draft.js'
import { report } from './report.js'
import type { StoreSeen } from './state.js'

/** ms an unparsable file has to stay unchanged before it is replaced: an editor may be in mid-save */
const UNPARSABLE_MS = 2000

/**
 * What the override's file says now. New content of another replica is adopted, a person's edit becomes a manual layer or
 * a reset, and what cannot be read is replaced in time by the present state. Compared by bytes: what was seen before says
 * nothing new.
 */
export function seeStore(draft: Draft, seen: StoreSeen): void {
  if (seen.kind === 'failed') {
    draft.setStore({ fault: seen.fault })
    return
  }
  const isReadFault = draft.state.store.attempts === 0 && draft.state.store.fault !== null
  if (isReadFault) draft.setStore({ fault: null })
  const content = seen.kind === 'missing' ? 'missing' : seen.hash
  const isNews = draft.state.starting || content !== draft.state.store.seen
  if (isNews) {
    draft.setStore({ seen: content, unparsable: null, missing: false })
    take(draft, seen)
  }
  replaceUnparsable(draft)
  draft.set({ starting: false })
}

function take(draft: Draft, seen: Exclude<StoreSeen, { kind: 'failed' }>): void {
  switch (seen.kind) {
    case 'override':
      takeOverride(draft, seen.override, seen.hash)
      return
    case 'hand_edit':
      takeHandEdit(draft, seen)
      return
    case 'unparsable': {
      const { hash, detail } = seen
      draft.setStore({ unparsable: { hash, detail, sinceAt: draft.at.now } })
      return
    }
    case 'missing':
      draft.setStore({ missing: true })
      draft.rewrite()
      return
    default:
      unreachable(seen)
  }
}

function takeOverride(draft: Draft, override: Override, hash: string): void {
  const { known, highest, self, starting, store } = draft.state
  const isOurs =
    override.revision === known.revision &&
    override.replica === self.replica &&
    override.updatedAt === known.updatedAt
  if (isOurs && store.dirtyAt !== null) written(draft, hash, override.revision, store.version)
  // The revision of a pending write is one above the highest seen, so whoever got there first is at least equal.
  else if (starting || override.revision >= known.revision) adopt(draft, override)
  else if (override.revision < highest) handEdit(draft, handEditOf(override))
}

function takeHandEdit(draft: Draft, seen: Extract<StoreSeen, { kind: 'hand_edit' }>): void {
  if (seen.override !== undefined && seen.override.revision >= draft.state.highest) {
    adopt(draft, seen.override)
    draft.change({}, { actor: 'manual' })
    return
  }
  handEdit(draft, seen.edit)
}

/** The provider, or the file, has something newer: what was pending is dropped, except commands and a breach that holds. */
export function adopt(draft: Draft, override: Override): void {
  const { known: before, commands, starting, store, isolated } = draft.state
  const hasLostTrip =
    store.dirtyAt !== null && before.auto.state === 'fallback' && override.auto.state !== 'fallback'
  const isSick = draft.evidence !== undefined && breachOf(draft.evidence, draft.guardrails) !== undefined
  const isTowardsRuntime =
    override.auto.state !== 'fallback' && before.auto.state === 'fallback' && override.actor === 'auto'
  const joinsSick = isTowardsRuntime || (starting && override.auto.state === 'recovering')

  draft.become(override)
  draft.set({
    highest: Math.max(draft.state.highest, override.revision),
    reports: [],
    commands: [],
    isolated: override.auto.state !== 'fallback' && (isolated || (joinsSick && isSick && !hasLostTrip)),
  })
  draft.setStore({ dirtyAt: null, attempts: 0, rewrite: false })
  if (before.auto.state === 'fallback' && !hasLostTrip) draft.forgetExecutions()
  if (isReset(before, override)) {
    draft.forgetExecutions()
    draft.effects.push({ kind: 'reset_health' })
  }
  if (!starting && isNewMeaning(before, override))
    draft.effects.push({ kind: 'adopted', transition: report(before, override, {}) })
  for (const command of commands) applyCommand(draft, command)
}

/** The file holds what we decided. */
export function written(draft: Draft, hash: string, revision: number, version: number): void {
  const { store, known, proof } = draft.state
  draft.set({ highest: Math.max(draft.state.highest, revision) })
  draft.setStore({ seen: hash, attempts: 0, fault: null, unparsable: null, missing: false })
  if (version !== store.version) {
    // Something was decided meanwhile: it goes on top of what was written.
    draft.set({ known: { ...known, revision: draft.state.highest + 1 } })
    return
  }
  for (const transition of draft.state.reports) draft.effects.push({ kind: 'report', transition })
  draft.set({
    reports: [],
    commands: [],
    proof: {
      revision,
      decidedAt: store.rewrite ? (proof?.decidedAt ?? draft.at.now) : (store.dirtyAt ?? draft.at.now),
      seenAt: null,
      waitingSinceAt: null,
      rewritten: store.rewrite,
      alerted: false,
    },
  })
  draft.setStore({ dirtyAt: null, rewrite: false })
}

function handEdit(draft: Draft, edit: HandEdit): void {
  if (edit.kind === 'reset') reset(draft, { what: 'hand_edit' })
  else draft.change({ manual: edit.manual }, { what: 'hand_edit', actor: 'manual' })
}

function replaceUnparsable(draft: Draft): void {
  const { unparsable, dirtyAt } = draft.state.store
  if (unparsable === null || draft.at.now - unparsable.sinceAt < UNPARSABLE_MS) return
  if (dirtyAt === null) draft.rewrite()
}

/** May the pending write go out now, as far as an unreadable file is concerned? */
export function mayReplace(draft: Draft): boolean {
  const { unparsable } = draft.state.store
  return unparsable === null || draft.at.now - unparsable.sinceAt >= UNPARSABLE_MS
}

const isReset = (before: Override, { auto, manual, trips, actor, evidenceSince }: Override): boolean =>
  actor === 'manual' &&
  auto.state === 'normal' &&
  manual.scope === 'none' &&
  trips === 0 &&
  evidenceSince !== before.evidenceSince

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
