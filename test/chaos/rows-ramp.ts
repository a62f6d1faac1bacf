import { setTimeout as sleep } from 'node:timers/promises'
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
      await stage.fileIs('fallback', since)
      stage.human.remark()
      await sleep(SICK_MS)
      await stage.runtime.restart()
      return []
    },
    async after(stage) {
      const history = (await stage.replicas[0]?.operator.history()) ?? []
      return [timeline(history.toReversed())]
    },
  },
]

/** `0 s trip → 31.0 s 5% → …` */
function timeline(history: readonly TransitionView[]): string {
  const beganAt = Date.parse(history[0]?.at ?? '')
  return history
    .map(({ at, kind, recoveringPercent }) => {
      const seconds = ((Date.parse(at) - beganAt) / 1000).toFixed(1)
      return `${seconds} s ${recoveringPercent === null ? kind : `${recoveringPercent}%`}`
    })
    .join(' → ')
}
