import type { Override } from '../../store/override/override.js'
import { adoptOverride } from './adopt-override.js'
import { handEdit, isUsableRevision } from './observe-store.js'
import type { FallbackInput, StoreSeen } from './state.js'
import type { StateUpdate } from './state-update.js'

type Tick = Extract<FallbackInput, { kind: 'tick' }>

/** ms for a written override to come back from a provider that is READY */
const PROOF_MS = 3000

/**
 * A revision that only the provider has: the file is away or cannot be read, or somebody feeds flagd something else. As
 * soon as it can be seen that the file is older, the present state belongs into it.
 */
export function observeProvider(update: StateUpdate, { provider, store }: Tick): void {
  const { override } = provider
  const revision = override !== undefined && isUsableRevision(override.revision) ? override.revision : 0
  if (revision !== update.state.provided) update.set({ provided: revision })
  const { known, highest } = update.state
  if (override !== undefined && revision > highest) {
    takeProvided(update, withKnownTarget(override, known), store)
  }
  const { fromProvider, store: ours } = update.state
  if (fromProvider && store.kind !== 'failed' && ours.dirtyAt === null) update.rewrite()
}

function takeProvided(update: StateUpdate, override: Override, seen: StoreSeen): void {
  const { known, store } = update.state
  const { revision } = override
  // The provider has the person's edit too; we know already what it means.
  if (seen.kind === 'hand_edit') {
    update.set({ highest: revision, known: { ...known, revision: revision + 1 } })
    return
  }
  adoptOverride(update, override, true)
  // Somebody put an older document over the one that the provider still shows; it is there, as far as can be seen.
  if (store.edit !== null && seen.kind !== 'failed') handEdit(update, store.edit)
}

/** A provider's metadata do not tell whom a scoped manual layer covers. */
function withKnownTarget(override: Override, { manual }: Override): Override {
  if (override.manual.scope !== 'orgs' || manual.scope !== 'orgs') return override
  return { ...override, manual: { ...override.manual, target: manual.target } }
}

/** A written flag counts when it was seen again: one rewrite, then an alert. */
export function prove(update: StateUpdate, { provider, now }: Tick): void {
  const { proof, provided, store, proposal } = update.state
  if (proof === null || proof.seenAt !== null) return
  if (provided >= proof.revision) {
    update.set({ proof: { ...proof, seenAt: now, alerted: false } })
    return
  }
  if (!provider.ready || store.dirtyAt !== null) {
    if (proof.waitingSinceAt !== null) update.set({ proof: { ...proof, waitingSinceAt: null } })
    return
  }
  if (proof.waitingSinceAt === null) {
    update.set({ proof: { ...proof, waitingSinceAt: now } })
    return
  }
  if (now - proof.waitingSinceAt < PROOF_MS || proof.alerted || proposal !== null) return
  if (proof.rewritten) {
    update.set({ proof: { ...proof, alerted: true } })
    return
  }
  update.rewrite()
  update.setStore({ rewrite: true })
}
