import type { TransitionView } from '../../src/protocol/fallback.js'
import type { Row } from './row.js'

/** The whole way down and back at the guardrails as shipped: about two minutes. */

const SICK_MS = 5000
const PATIENCE_MS = 240_000

export const RAMP_ROWS: readonly Row[] = [
  {
    name: 'killed for 5 s, guardrails as shipped: recovery by ramp',
    stage: { replicas: 2, perSecond: 25, guardrails: {} },
    patienceMs: PATIENCE_MS,
    async drill(stage) {
      const since = stage.runtime.kill()
      const diedAt = Date.now()
      await stage.fileIs('fallback', since)
      stage.human.remark()
      await new Promise((resolve) => setTimeout(resolve, SICK_MS))
      await stage.runtime.restart()
      await stage.backToNormal(PATIENCE_MS)
      const history = (await stage.replicas[0]?.operator.history()) ?? []
      return [timeline(history.toReversed(), diedAt)]
    },
  },
]

/** `0.2 s trip → 31.0 s 5 % → …` from the runtime's death on. */
function timeline(history: readonly TransitionView[], diedAt: number): string {
  const seen = new Set<number>()
  return history
    .filter(({ revision }) => !seen.has(revision) && seen.add(revision))
    .map(({ at, kind, recoveringPercent }) => {
      const seconds = ((Date.parse(at) - diedAt) / 1000).toFixed(1)
      return `${seconds} s ${recoveringPercent === null ? kind : `${recoveringPercent} %`}`
    })
    .join(' → ')
}
