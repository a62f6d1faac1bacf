import { DRILL } from './guardrails.js'
import type { Replica } from './replica.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'
import { waitFor } from './wait-for.js'

/**
 * The service killed at each step of its write of the override: before each
 * of its file system calls that change anything, one after another.
 */

const PRELOAD = ['--import', './test/chaos/kill-at-call.mjs']
/** more than a write has */
const MOST_CALLS = 30
/** ms for another replica's next write: what the dead one left must not keep it */
const NEXT_WRITE_MS = 5000

export const KILL_ROWS: readonly Row[] = [
  {
    name: 'a replica killed (SIGKILL) before each step of its write',
    stage: { replicas: 2, perSecond: 50, guardrails: DRILL },
    async drill(stage) {
      stage.traffic.leave('a')
      let worstMs = 0
      for (let call = 1; call <= MOST_CALLS; call += 1) {
        const survived = await killedAt(stage, stage.replica('a'), call)
        worstMs = Math.max(worstMs, await nextWrite(stage))
        if (!survived) continue
        await stage.restartReplica('a')
        return [`${call - 1} kills; the other replica's next write took at most ${Math.round(worstMs)} ms`]
      }
      throw new Error(`a write of more than ${MOST_CALLS} calls`)
    },
  },
]

/** True where the write had no such call any more. */
async function killedAt(stage: Stage, replica: Replica, call: number): Promise<boolean> {
  await replica.kill()
  await replica.start(PRELOAD, { CHAOS_KILL_AT: String(call) })
  stage.human.remark()
  // The answer goes with the process.
  const survived = await replica.operator.trigger(`before call ${call}`).then(
    () => true,
    () => false,
  )
  if (survived) await replica.kill()
  else await replica.ended()
  return survived
}

async function nextWrite(stage: Stage): Promise<number> {
  const since = performance.now()
  const { operator } = stage.replica('b')
  await operator.trigger('next')
  await operator.reset()
  await waitFor(
    'the other replica to write',
    async () => {
      const { fallback, manual } = await operator.status()
      return fallback.persisted && manual.scope === 'none' ? '' : JSON.stringify({ fallback, manual })
    },
    NEXT_WRITE_MS,
  )
  return performance.now() - since
}
