import { z } from 'zod'
import type { JudgedExecution, Observation } from '../journal/comparison.js'
import type { ReplayEvent } from './replay-evidence.js'

const commandSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('trigger'),
    userId: z.string(),
    reason: z.string(),
    ttlSeconds: z.number().exactOptional(),
    orgIds: z.array(z.string()).exactOptional(),
  }),
  z.object({ kind: z.literal('reset'), userId: z.string() }),
])

/** What an observation of the journal is for a replay: a change of the probes' verdict, a command; undefined for anything else. */
export function eventOf({ at, runtimeHealthy, command }: Observation): ReplayEvent | undefined {
  if (runtimeHealthy !== undefined) return { at, kind: 'probe', healthy: runtimeHealthy }
  const parsed = commandSchema.safeParse(command)
  return parsed.success ? { at, kind: 'command', command: parsed.data } : undefined
}

/** Both by rising instants, merged; of the same instant the observations come first. */
export async function* merged(
  executions: AsyncIterable<readonly JudgedExecution[]>,
  observed: readonly ReplayEvent[],
): AsyncGenerator<readonly ReplayEvent[]> {
  let next = 0
  for await (const page of executions) {
    const events: ReplayEvent[] = []
    for (const execution of page) {
      for (
        let first = observed[next];
        first !== undefined && first.at <= execution.at;
        first = observed[next]
      ) {
        events.push(first)
        next += 1
      }
      events.push({ at: execution.at, kind: 'execution', execution })
    }
    yield events
  }
  yield observed.slice(next)
}
