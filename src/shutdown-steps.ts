import { bounded } from './core/bounded.js'
import type { Clock } from './core/clock.js'
import { errorText } from './core/errors.js'

/** One part's end, by the name an operator reads. */
export interface StopStep {
  readonly name: string
  run(): unknown
}

/** Steps that run side by side, and ms from the beginning of the stop until which they are waited for. */
export interface StopStage {
  readonly untilMs: number
  readonly steps: readonly StopStep[]
}

/** The stop went through, and these parts did not end as they should. */
export class StopFailed extends Error {
  override readonly name = 'StopFailed'
}

/** ms: how often a stop shows itself to Node, which ends a process that waits for timers of ours alone */
const AWAKE_MS = 1000

/**
 * Runs stage after stage; what a step throws, or does not end in time, keeps no other from running.
 * @throws StopFailed at the end, naming every step that failed
 */
export async function stopInStages(stages: readonly StopStage[], clock: Clock): Promise<void> {
  const startedAt = clock.monotonic()
  const awake = setInterval(() => undefined, AWAKE_MS)
  const failed: string[] = []
  try {
    for (const { untilMs, steps } of stages) {
      const leftMs = Math.max(0, startedAt + untilMs - clock.monotonic())
      const found = await Promise.all(steps.map((step) => fault(step, leftMs, clock)))
      for (const text of found) if (text !== undefined) failed.push(text)
    }
  } finally {
    clearInterval(awake)
  }
  if (failed.length > 0) throw new StopFailed(failed.join('; '))
}

async function fault({ name, run }: StopStep, leftMs: number, clock: Clock): Promise<string | undefined> {
  try {
    // In a promise of its own, so that what `run` throws is caught like what it rejects with.
    const ended = await bounded((async () => run())(), leftMs, clock)
    return ended === 'late' ? `${name}: not ended in time` : undefined
  } catch (thrown) {
    return `${name}: ${errorText(thrown)}`
  }
}
