import type { Override } from '../../store/override/override.js'
import { adopt } from './adopt.js'
import type { Draft } from './draft.js'
import { handEdit, isUsableRevision } from './see-store.js'
import type { FallbackInput, StoreSeen } from './state.js'

type Tick = Extract<FallbackInput, { kind: 'tick' }>

/** ms for a written override to come back from a provider that is READY */
const PROOF_MS = 3000

/**
 * A revision that only the provider has: the file is away or cannot be read, or somebody feeds flagd something else. As
 * soon as it can be seen that the file is older, the present state belongs into it.
 */
export function seeProvider(draft: Draft, { provider, store }: Tick): void {
  const { override } = provider
  const revision = override !== undefined && isUsableRevision(override.revision) ? override.revision : 0
  if (revision !== draft.state.provided) draft.set({ provided: revision })
  const { known, highest } = draft.state
  if (override !== undefined && revision > highest) {
    takeProvided(draft, withKnownTarget(override, known), store)
  }
  const { fromProvider, store: ours } = draft.state
  if (fromProvider && store.kind !== 'failed' && ours.dirtyAt === null) draft.rewrite()
}

function takeProvided(draft: Draft, override: Override, seen: StoreSeen): void {
  const { known, store } = draft.state
  const { revision } = override
  // The provider has the person's edit too; we know already what it means.
  if (seen.kind === 'hand_edit') {
    draft.set({ highest: revision, known: { ...known, revision: revision + 1 } })
    return
  }
  adopt(draft, override, true)
  // Somebody put an older document over the one that the provider still shows; it is there, as far as can be seen.
  if (store.edit !== null && seen.kind !== 'failed') handEdit(draft, store.edit)
}

/** A provider's metadata do not tell whom a scoped manual layer covers. */
function withKnownTarget(override: Override, { manual }: Override): Override {
  if (override.manual.scope !== 'orgs' || manual.scope !== 'orgs') return override
  return { ...override, manual: { ...override.manual, target: manual.target } }
}

/** A written flag counts when it was seen again: one rewrite, then an alert. */
export function prove(draft: Draft, { provider, now }: Tick): void {
  const { proof, provided, store, proposal } = draft.state
  if (proof === null || proof.seenAt !== null) return
  if (provided >= proof.revision) {
    draft.set({ proof: { ...proof, seenAt: now, alerted: false } })
    return
  }
  if (!provider.ready || store.dirtyAt !== null) {
    if (proof.waitingSinceAt !== null) draft.set({ proof: { ...proof, waitingSinceAt: null } })
    return
  }
  if (proof.waitingSinceAt === null) {
    draft.set({ proof: { ...proof, waitingSinceAt: now } })
    return
  }
  if (now - proof.waitingSinceAt < PROOF_MS || proof.alerted || proposal !== null) return
  if (proof.rewritten) {
    draft.set({ proof: { ...proof, alerted: true } })
    return
  }
  draft.rewrite()
  draft.setStore({ rewrite: true })
}
