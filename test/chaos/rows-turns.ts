import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'

/** What a turn can meet while the runtime's health is good. */

const STAGE = { replicas: 2, perSecond: 50 } as const
/** ms that it stays unhealthy once the fallback is there */
const SICK_MS = 1500

/** ms a user waits for the first content, and what of it tells of a hang; no deadline is that short */
const PATIENCE_MS = 800
const ABANDON_AFTER_MS = 500

const leaving: Row = {
  name: 'hung after its response head, healthy, every user leaves before any deadline',
  stage: {
    ...STAGE,
    guardrails: { ...DRILL, abandonAfterMs: ABANDON_AFTER_MS, firstContentMs: 30_000, totalMs: 90_000 },
    leaveAfterMs: PATIENCE_MS,
  },
  async drill(stage) {
    const since = performance.now()
    await stage.runtime.set({ hang: 'body' })
    const { at } = await stage.fileIs('fallback', since)
    const cause = stage.watch.last?.auto
    await sleep(SICK_MS)
    await stage.runtime.set({})
    const left = stage.traffic.ended.filter(({ kind }) => kind === 'left').length
    const why = cause?.state === 'fallback' ? cause.trip.cause : 'gone already'
    return [
      `override after ${Math.round(at - since)} ms (${why}); ${left} users had left by then or soon after`,
    ]
  },
}

/** ms the runtime works at a turn before it resets the connection */
const WORKS_MS = 60

const resetting: Row = {
  name: `reads each turn, works ${WORKS_MS} ms, resets the connection`,
  stage: { ...STAGE, guardrails: DRILL },
  async drill(stage) {
    const since = performance.now()
    await stage.runtime.set({ resetAfterMs: WORKS_MS })
    const { at } = await stage.fileIs('fallback', since)
    await sleep(SICK_MS)
    await stage.runtime.set({})
    const sent = await executionsOf(stage)
    const twice = [...sent].filter(([, times]) => times > 1)
    if (twice.length > 0) throw new Error(`${twice.length} of ${sent.size} turns were sent more than once`)
    return [`override after ${Math.round(at - since)} ms; ${sent.size} turns sent, none of them twice`]
  },
}

const requestsSchema = z.array(
  z.object({ path: z.string(), shadow: z.string().optional(), sessionId: z.string().optional() }),
)

/** How often the runtime got each session's only turn, of its newest requests. */
async function executionsOf({ runtime }: Stage): Promise<ReadonlyMap<string, number>> {
  const requests = requestsSchema.parse(await (await fetch(`${runtime.url}/_requests`)).json())
  const sent = new Map<string, number>()
  for (const { path, shadow, sessionId } of requests)
    if (path.endsWith('/execute/stream') && shadow === undefined && sessionId !== undefined)
      sent.set(sessionId, (sent.get(sessionId) ?? 0) + 1)
  return sent
}

export const TURN_ROWS: readonly Row[] = [leaving, resetting]
