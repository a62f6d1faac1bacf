// One of many processes that write the override as fast as they can: each write adds a name of its own to the list of a
// scoped manual layer, by compare-and-set. What was told "written" must never be lost. Stops when it is told to, or after
// so many writes; prints its counts.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../dist/core/clock.js'
import { createFileFlagStore } from '../../dist/store/file/file-flag-store.js'
import { parseOverride, renderOverride } from '../../dist/store/override/override-document.js'

const [path, id, most] = process.argv.slice(2)
// The clock's timers keep no process alive by themselves.
const awake = setInterval(() => {}, 1000)
const store = createFileFlagStore(path, { clock: systemClock, nonce: randomUUID() })
const counts = { written: 0, conflicts: 0, failed: 0 }
let stopped = false
process.once('SIGTERM', () => {
  stopped = true
})
process.stdout.write('{"msg":"listening"}\n')

while (!stopped && counts.written < Number(most)) {
  const stored = await store.read()
  const parsed = stored.kind === 'text' ? parseOverride(stored.text) : undefined
  // A person's edit, or their wish for all, is not ours to change.
  if (parsed?.kind !== 'override' || parsed.override.manual.scope === 'all') {
    await sleep(5)
    continue
  }
  const result = await store.write(renderOverride(added(parsed.override), stored.text), stored.hash)
  if (result.kind === 'written') counts.written += 1
  else counts[result.kind === 'conflict' ? 'conflicts' : 'failed'] += 1
  await sleep(2)
}
await store.close()
clearInterval(awake)
process.stdout.write(`${JSON.stringify({ msg: 'counts', ...counts })}\n`)

function added(override) {
  const orgIds = override.manual.scope === 'orgs' ? override.manual.target.orgIds : []
  const target = { kind: 'orgs', orgIds: [...orgIds, `${id}-${counts.written}`] }
  return {
    ...override,
    manual: { scope: 'orgs', target, reason: 'race' },
    revision: override.revision + 1,
    replica: id,
    actor: 'manual',
    updatedAt: Date.now(),
  }
}
