import type { Turnstile } from '../../core/turnstile.js'
import type { Execution } from '../../execution/execution.js'
import type { MessageBody } from '../../protocol/events.js'

/** batches a shadow takes before it waits at the turnstile; a batch of so much more text counts as one more */
const BATCHES_A_PASS = 4
/** UTF-16 units */
const TEXT_A_BATCH = 4096

/**
 * Takes a shadow's answer as fast as it comes, and lets everybody else run in between: those that flood must not hold the
 * loop, however many they are. Ends when the execution did and its cancel is through as well: what an unhealthy backend can hold of
 * ours stays bounded. The rounds in between are not counted as time of the execution.
 * @param turnstile of all shadows that may run at a time
 */
export async function readToEnd(
  execution: Execution,
  after: readonly Promise<void>[],
  turnstile: Turnstile,
  onBatch: (batch: readonly MessageBody[]) => void = () => {},
): Promise<void> {
  const goOn = (): void => execution.resume()
  let taken = 0
  await new Promise<void>((resolve) => {
    execution.start({
      batch(events) {
        onBatch(events)
        taken += 1 + textOf(events) / TEXT_A_BATCH
        if (taken < BATCHES_A_PASS) return true
        taken = 0
        turnstile.pass(goOn)
        return false
      },
      end: () => resolve(),
    })
  })
  await Promise.all(after)
}

function textOf(events: readonly MessageBody[]): number {
  let units = 0
  for (const event of events) if (event.type === 'text') units += event.data.content.length
  return units
}
