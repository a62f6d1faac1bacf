import { unreachable } from '../../core/errors.js'
import type { HandEdit, ManualLayer, Override } from '../../store/override/override.js'
import { handEditOf } from '../../store/override/override-document.js'
import { isSameOverride } from '../../store/override/same-override.js'
import { adopt } from './adopt.js'
import { forgetCommands, reset } from './command.js'
import type { Draft } from './draft.js'
import { seeRefusedEdit } from './refused-edit.js'
import type { StoreSeen } from './state.js'
import { written } from './written.js'

/** ms an unparsable file has to stay unchanged before it is replaced: an editor may be in mid-save */
const UNPARSABLE_MS = 2000
/** Above it a number in a person's edit is no revision of ours: counting on from there would leave the safe integers. */
const MAX_REVISION = 2 ** 50

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
  const { store, starting } = draft.state
  const isFaultOver = store.fault !== null && (store.attempts === 0 || store.dirtyAt === null)
  if (isFaultOver) draft.setStore({ fault: null })
  const content = seen.kind === 'missing' ? 'missing' : seen.hash
  if (starting || content !== store.seen) {
    draft.setStore({ seen: content, unparsable: null, missing: false, edit: null })
    if (store.unparsable !== null && isReplaced(draft, seen)) seeRefusedEdit(draft, store.unparsable.detail)
    take(draft, seen)
  }
  replaceUnparsable(draft)
  if (draft.state.starting) draft.set({ starting: false })
}

/** In the place of what could not be read stands a new write of another replica, not what a person mended. */
function isReplaced({ state }: Draft, seen: StoreSeen): boolean {
  return seen.kind === 'override' && seen.override.revision > state.highest
}

export const isUsableRevision = (revision: number): boolean => revision <= MAX_REVISION

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
      yieldToOthers(draft, UNPARSABLE_MS)
      return
    }
    case 'missing':
      draft.setStore({ missing: true })
      draft.rewrite()
      yieldToOthers(draft, 0)
      return
    default:
      unreachable(seen)
  }
}

function takeOverride(draft: Draft, override: Override, hash: string): void {
  const { known, highest, starting, store, proposal, fromProvider } = draft.state
  if (proposal !== null && isSameOverride(override, proposal.override)) {
    written(draft, hash, { revision: override.revision, version: proposal.version })
    return
  }
  if (store.dirtyAt !== null && isSameOverride(override, known)) {
    written(draft, hash, { revision: override.revision, version: store.version })
    return
  }
  // The revision of a pending write is one above the highest seen, so whoever got there first is at least equal.
  const isNewer = override.revision >= (starting || fromProvider ? highest : known.revision)
  if (isNewer) adopt(draft, override)
  else if (!starting && !fromProvider && override.revision < highest) handEdit(draft, handEditOf(override))
}

function takeHandEdit(draft: Draft, seen: Extract<StoreSeen, { kind: 'hand_edit' }>): void {
  const { override, revision = 0, edit } = seen
  const { highest, starting, fromProvider } = draft.state
  if (override !== undefined && override.revision >= highest && isUsableRevision(override.revision)) {
    if (override.revision > highest || starting || fromProvider) adopt(draft, override)
    if (draft.state.store.dirtyAt === null) takeWords(draft, override)
    return
  }
  if (isUsableRevision(revision) && revision > draft.state.highest) draft.set({ highest: revision })
  handEdit(draft, edit)
}

/**
 * Other words about what is known; what is pending goes on top of it. Those about a manual layer, its end among them, are a
 * person's word; any others change nothing.
 */
function takeWords(draft: Draft, { manual }: Override): void {
  const { known } = draft.state
  const isManual = manual.scope !== 'none' && known.manual.scope !== 'none'
  const isSame = isManual && manual.reason === known.manual.reason && manual.until === known.manual.until
  if (isManual && !isSame) handEdit(draft, { kind: 'manual', manual })
  else draft.change({}, { actor: 'manual' })
}

/** A person's word by the file: the latest there is. */
export function handEdit(draft: Draft, edit: HandEdit): void {
  forgetCommands(draft, () => true)
  draft.setStore({ edit })
  if (edit.kind === 'reset') reset(draft, { what: 'hand_edit' })
  else draft.change({ manual: withKnownEnd(draft, edit.manual) }, { what: 'hand_edit', actor: 'manual' })
}

function isUnknownTarget(manual: ManualLayer): boolean {
  return manual.scope === 'orgs' && manual.target.kind === 'orgs' && manual.target.orgIds.length === 0
}

/** An end that the person only left in the file is the one that this replica knows, told by its own wall clock. */
function withKnownEnd({ state, manual: present }: Draft, edited: ManualLayer): ManualLayer {
  const { manual } = state.known
  const isLeft = manual.scope !== 'none' && edited.scope !== 'none' && edited.until === manual.until
  if (!isLeft || present.scope === 'none' || present.until === undefined) return edited
  return { ...edited, until: present.until }
}

/**
 * Who has just started knows nothing of what was there. Its `normal` under revision 1 would look to the others like an old
 * document put back by a person, and end what they hold: they write first.
 */
function yieldToOthers(draft: Draft, ms: number): void {
  const { starting, highest } = draft.state
  if (starting && highest === 0)
    draft.setStore({ yieldUntilAt: draft.at.now + ms + 2 * draft.guardrails.tickMs })
}

function replaceUnparsable(draft: Draft): void {
  const { unparsable, dirtyAt } = draft.state.store
  if (unparsable === null || draft.at.now - unparsable.sinceAt < UNPARSABLE_MS) return
  if (dirtyAt === null) draft.rewrite()
}

/**
 * May a pending write go out now, as far as an unreadable file and those who know more are concerned? A scoped manual layer
 * that only the provider has is a person's, and nobody here can say whom it covers: writing would end it.
 */
export function mayReplace(draft: Draft): boolean {
  const { fromProvider, known } = draft.state
  if (fromProvider && isUnknownTarget(known.manual)) return false
  const { unparsable, yieldUntilAt } = draft.state.store
  const { now } = draft.at
  if (yieldUntilAt !== null && now < yieldUntilAt) return false
  return unparsable === null || now - unparsable.sinceAt >= UNPARSABLE_MS
}
