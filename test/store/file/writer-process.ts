import { randomUUID } from 'node:crypto'
import { systemClock } from '../../../src/core/clock.js'
import { createFileFlagStore } from '../../../src/store/file/file-flag-store.js'
import type { StoreStep } from '../../../src/store/file/steps.js'

/** One write that succeeded. */
export interface Written {
  /** of what it read and replaced */
  readonly over: string
  readonly hash: string
}

/** What a writer is told to do, as JSON. */
export type Task =
  /** Reads, adds one and writes, until it has done so `count` times; answers `Written[]`. */
  | { readonly do: 'add'; readonly path: string; readonly count: number }
  /** Writes once, stops for good before `step` and answers its name. */
  | { readonly do: 'stop'; readonly path: string; readonly step: StoreStep }

const nonce = randomUUID()
const tell = (message: unknown): void => void process.send?.(JSON.stringify(message))

async function add(path: string, count: number): Promise<Written[]> {
  const store = createFileFlagStore(path, { clock: systemClock, nonce })
  const done: Written[] = []
  while (done.length < count) {
    const stored = await store.read()
    if (stored.kind !== 'text') throw new Error(`read: ${JSON.stringify(stored)}`)
    const { sum } = JSON.parse(stored.text)
    const text = JSON.stringify({ sum: sum + 1, by: `${nonce}-${done.length}`, filler: 'x'.repeat(2000) })
    const result = await store.write(text, stored.hash)
    if (result.kind === 'written') done.push({ over: stored.hash, hash: result.hash })
    if (result.kind === 'failed' && result.fault.code !== 'lock_timeout')
      throw new Error(result.fault.message)
  }
  await store.close()
  return done
}

async function stop(path: string, step: StoreStep): Promise<void> {
  const before = (at: StoreStep): Promise<void> | undefined => {
    if (at !== step) return undefined
    tell(step)
    return new Promise(() => undefined)
  }
  const store = createFileFlagStore(path, { clock: systemClock, nonce, faults: { before } })
  const stored = await store.read()
  if (stored.kind !== 'text') throw new Error(`read: ${JSON.stringify(stored)}`)
  await store.write('{"sum": 1, "by": "one who is killed"}', stored.hash, { keepAside: true })
}

async function perform(task: Task): Promise<void> {
  if (task.do === 'add') tell(await add(task.path, task.count))
  else await stop(task.path, task.step)
}

process.on('message', (message) => {
  perform(JSON.parse(String(message))).catch((error: unknown) => {
    tell({ failed: error instanceof Error ? error.message : String(error) })
  })
})
// Killed tests leave no orphan behind.
process.on('disconnect', () => process.exit())
tell('ready')
