import { setTimeout as sleep } from 'node:timers/promises'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'

/** What can be wrong with flagd, while the runtime is unhealthy too. */

const AWAY_MS = 1000
const SICK_MS = 1500

const RESOLVERS = ['in-process', 'rpc'] as const

function away(
  what: string,
  resolver: (typeof RESOLVERS)[number],
  begin: (stage: Stage) => Promise<void> | void,
  end: (stage: Stage) => Promise<void> | void,
): Row {
  return {
    name: `flagd ${what}, runtime killed`,
    stage: { replicas: 2, perSecond: 50, guardrails: DRILL, resolver },
    async drill(stage) {
      await begin(stage)
      await sleep(AWAY_MS)
      const since = stage.runtime.kill()
      const { at } = await stage.fileIs('fallback', since)
      await sleep(SICK_MS)
      await stage.runtime.restart()
      await end(stage)
      stage.human.remark()
      return [`override after ${Math.round(at - since)} ms`]
    },
  }
}

const BURSTS = 4
const BURST_TURNS = 25
const BURST_PAUSE_MS = 500
/** longer than a turn waits for flagd */
const FAR_MS = 60
const FAR_FOR_MS = 2000

/** Nobody is decided by the environment while anything is known of the flags. */
const unheard: Row = {
  name: 'flagd answers no new session in time: bursts, 60 ms away, killed',
  stage: { replicas: 2, perSecond: 50, guardrails: DRILL, resolver: 'rpc' },
  async drill(stage) {
    const since = performance.now()
    for (let burst = 0; burst < BURSTS; burst += 1) {
      stage.traffic.burst(BURST_TURNS)
      await sleep(BURST_PAUSE_MS)
    }
    await stage.flagd.delay(FAR_MS)
    await sleep(FAR_FOR_MS)
    await stage.flagd.kill()
    await sleep(FAR_FOR_MS)
    await stage.flagd.restart()
    const decided = stage.traffic.ended.filter(({ startedAt }) => startedAt >= since)
    const by = (reason: string) => decided.filter((turn) => turn.reason === reason).length
    if (by('code_default') > 0)
      throw new Error(`${by('code_default')} of ${decided.length} by the code default`)
    stage.human.remark()
    return [
      `${decided.length} new sessions, ${by('stale')} by what others of their org had got, none by the code default`,
    ]
  },
}

export const FLAGD_ROWS: readonly Row[] = [
  unheard,
  ...RESOLVERS.flatMap((resolver) => [
    away(
      'killed',
      resolver,
      ({ flagd }) => flagd.kill(),
      ({ flagd }) => flagd.restart(),
    ),
    away(
      'hung (SIGSTOP)',
      resolver,
      ({ flagd }) => flagd.freeze(),
      ({ flagd }) => flagd.thaw(),
    ),
  ]),
]
