import { setTimeout as sleep } from 'node:timers/promises'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'

/** What can be wrong with flagd, while the runtime is sick too. */

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

export const FLAGD_ROWS: readonly Row[] = RESOLVERS.flatMap((resolver) => [
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
])
