import { unreachable } from '../../core/errors.js'
import type { HandEdit, ManualLayer, Override } from '../../store/override/override.js'
import { handEditOf } from '../../store/override/override-document.js'
import { isSameOverride } from '../../store/override/same-override.js'
import { adoptOverride } from './adopt-override.js'
import { forgetCommands, reset } from './command.js'
import { recordWrite } from './record-write.js'
import { seeRefusedEdit } from './refused-edit.js'
import type { StoreSeen } from './state.js'
import type { StateUpdate } from './state-update.js'

/** ms an unparsable file has to stay unchanged before it is replaced: an editor may be in mid-save */
const UNPARSABLE_MS = 2000
/** Above it a number in a person's edit is no revision of ours: counting on from there would leave the safe integers. */
const MAX_REVISION = 2 ** 50

/**
 * What the override's file says now. New content of another replica is adopted, a person's edit becomes a manual layer or
 * a reset, and what cannot be read is replaced in time by the present state. Compared by bytes: what was seen before says
 * nothing new.
 */
export function observeStore(update: StateUpdate, seen: StoreSeen): void {
  if (seen.kind === 'failed') {
    update.setStore({ fault: seen.fault })
    return
  }
  const { store, starting } = update.state
  const isFaultOver = store.fault !== null && (store.attempts === 0 || store.dirtyAt === null)
  if (isFaultOver) update.setStore({ fault: null })
  const content = seen.kind === 'missing' ? 'missing' : seen.hash
  if (starting || content !== store.seen) {
    update.setStore({ seen: content, unparsable: null, missing: false, edit: null })
    if (store.unparsable !== null && isReplaced(update, seen)) seeRefusedEdit(update, store.unparsable.detail)
    take(update, seen)
  }
  replaceUnparsable(update)
  if (update.state.starting) update.set({ starting: false })
}

/** In the place of what could not be read stands a new write of another replica, not what a person mended. */
function isReplaced({ state }: StateUpdate, seen: StoreSeen): boolean {
  return seen.kind === 'override' && seen.override.revision > state.highest
}

export const isUsableRevision = (revision: number): boolean => revision <= MAX_REVISION

function take(update: StateUpdate, seen: Exclude<StoreSeen, { kind: 'failed' }>): void {
  switch (seen.kind) {
    case 'override':
      takeOverride(update, seen.override, seen.hash)
      return
    case 'hand_edit':
      takeHandEdit(update, seen)
      return
    case 'unparsable': {
      const { hash, detail } = seen
      update.setStore({ unparsable: { hash, detail, sinceAt: update.at.now } })
      yieldToOthers(update, UNPARSABLE_MS)
      return
    }
    case 'missing':
      update.setStore({ missing: true })
      update.rewrite()
      yieldToOthers(update, 0)
      return
    default:
      unreachable(seen)
  }
}

function takeOverride(update: StateUpdate, override: Override, hash: string): void {
  const { known, highest, starting, store, proposal, fromProvider } = update.state
  if (proposal !== null && isSameOverride(override, proposal.override)) {
    recordWrite(update, hash, { revision: override.revision, version: proposal.version })
    return
  }
  if (store.dirtyAt !== null && isSameOverride(override, known)) {
    recordWrite(update, hash, { revision: override.revision, version: store.version })
    return
  }
  // The revision of a pending write is one above the highest seen, so the replica that got there first is at least equal.
  const isNewer = override.revision >= (starting || fromProvider ? highest : known.revision)
  if (isNewer) adoptOverride(update, override)
  else if (!starting && !fromProvider && override.revision < highest) handEdit(update, handEditOf(override))
}

function takeHandEdit(update: StateUpdate, seen: Extract<StoreSeen, { kind: 'hand_edit' }>): void {
  const { override, revision = 0, edit } = seen
  const { highest, starting, fromProvider } = update.state
  if (override !== undefined && override.revision >= highest && isUsableRevision(override.revision)) {
    if (override.revision > highest || starting || fromProvider) adoptOverride(update, override)
    if (update.state.store.dirtyAt === null) takeWords(update, override)
    return
  }
  if (isUsableRevision(revision) && revision > update.state.highest) update.set({ highest: revision })
  handEdit(update, edit)
}

/**
 * Other words about what is known; what is pending goes on top of it. Those about a manual layer, its end among them, are a
 * person's word; any others change nothing.
 */
function takeWords(update: StateUpdate, { manual }: Override): void {
  const { known } = update.state
  const isManual = manual.scope !== 'none' && known.manual.scope !== 'none'
  const isSame = isManual && manual.reason === known.manual.reason && manual.until === known.manual.until
  if (isManual && !isSame) handEdit(update, { kind: 'manual', manual })
  else update.change({}, { actor: 'manual' })
}

/** A person's word by the file: the latest there is. */
export function handEdit(update: StateUpdate, edit: HandEdit): void {
  forgetCommands(update, () => true)
  update.setStore({ edit })
  if (edit.kind === 'reset') reset(update, { what: 'hand_edit' })
  else update.change({ manual: withKnownEnd(update, edit.manual) }, { what: 'hand_edit', actor: 'manual' })
}

function isUnknownTarget(manual: ManualLayer): boolean {
  return manual.scope === 'orgs' && manual.target.kind === 'orgs' && manual.target.orgIds.length === 0
}

/** An end that the person only left in the file is the one that this replica knows, told by its own wall clock. */
function withKnownEnd({ state, manual: present }: StateUpdate, edited: ManualLayer): ManualLayer {
  const { manual } = state.known
  const isLeft = manual.scope !== 'none' && edited.scope !== 'none' && edited.until === manual.until
  if (!isLeft || present.scope === 'none' || present.until === undefined) return edited
  return { ...edited, until: present.until }
}

/**
 * Who has just started knows nothing of what was there. Its `normal` under revision 1 would look to the others like an old
 * document put back by a person, and end what they hold: they write first.
 */
function yieldToOthers(update: StateUpdate, ms: number): void {
  const { starting, highest } = update.state
  if (starting && highest === 0)
    update.setStore({ yieldUntilAt: update.at.now + ms + 2 * update.guardrails.tickMs })
}

function replaceUnparsable(update: StateUpdate): void {
  const { unparsable, dirtyAt } = update.state.store
  if (unparsable === null || update.at.now - unparsable.sinceAt < UNPARSABLE_MS) return
  if (dirtyAt === null) update.rewrite()
}

/**
 * May a pending write go out now, as far as an unreadable file and those who know more are concerned? A scoped manual layer
 * that only the provider has is a person's, and nobody here can say whom it covers: writing would end it.
 */
export function mayReplace(update: StateUpdate): boolean {
  const { fromProvider, known } = update.state
  if (fromProvider && isUnknownTarget(known.manual)) return false
  const { unparsable, yieldUntilAt } = update.state.store
  const { now } = update.at
  if (yieldUntilAt !== null && now < yieldUntilAt) return false
  return unparsable === null || now - unparsable.sinceAt >= UNPARSABLE_MS
}
