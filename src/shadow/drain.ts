import type { Execution } from '../execution/execution.js'
import type { MessageBody } from '../protocol/events.js'

/** batches between two rounds of the event loop */
const BATCHES_A_ROUND = 4

/**
 * Takes a shadow's answer as fast as it comes, and lets everybody else run in between: one that floods must not hold the
 * loop. Ends when the execution did and its cancel is through as well: what a sick backend can hold of ours stays bounded.
 * The rounds in between are not counted as time of the execution.
 */
export async function drain(
  execution: Execution,
  after: readonly Promise<void>[],
  onBatch: (batch: readonly MessageBody[]) => void = () => {},
): Promise<void> {
  for (let batches = 1; ; batches += 1) {
    const step = await execution.pull()
    if (step.kind !== 'batch') break
    onBatch(step.events)
    if (batches % BATCHES_A_ROUND === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(after)
}
