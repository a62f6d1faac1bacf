import { systemClock } from '../../../src/core/clock.js'
import { parseFlagStore } from '../../../src/store/flag-store-choice.js'
import { openFlagStores } from '../../../src/store/open-flag-stores.js'

/** Adds one to what it reads, as often as it can, and tells each write that succeeded: `{over, hash}`. */
const [, , value = '', nonce = ''] = process.argv
const parsed = parseFlagStore(value, { database: '', kubernetesHost: undefined })
if (parsed.kind === 'fault') throw new Error(parsed.fault.en)
const settings = { store: parsed.choice, opsFile: '', overrideFile: '' }
const store = (await openFlagStores(settings, systemClock, nonce)).fallback(nonce)

async function add(count: number): Promise<void> {
  for (let added = 0; added < count; ) {
    const stored = await store.read()
    if (stored.kind !== 'text') throw new Error(`read: ${JSON.stringify(stored)}`)
    const { sum } = JSON.parse(stored.text).metadata
    const text = JSON.stringify({ flags: {}, metadata: { sum: sum + 1, by: `${nonce}-${added}` } })
    const result = await store.write(text, stored.hash)
    if (result.kind === 'failed') throw new Error(result.fault.message)
    if (result.kind !== 'written') continue
    added += 1
    process.send?.(JSON.stringify({ over: stored.hash, hash: result.hash }))
  }
  process.send?.('"done"')
}

process.on('message', (count) => {
  add(Number(count)).catch((error: unknown) => process.send?.(JSON.stringify({ failed: String(error) })))
})
// Killed tests leave no orphan behind.
process.on('disconnect', () => process.exit())
process.send?.('"ready"')
