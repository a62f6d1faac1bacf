import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../wait-for.js'
import type { FleetRow } from './fleet-row.js'
import type { Cut } from './network.js'

/** Links to the runtime. */

/** ms that a link stays cut once its loss was noticed */
const CUT_MS = 3000

/** One replica alone has lost the runtime. */
const alone = (how: Cut): FleetRow => ({
  name: `runtime: one replica cut off from it, ${how}`,
  trips: 0,
  tellsReaders: true,
  async drill(stage) {
    const { traffic } = stage
    const a = stage.replica('a')
    stage.cut('a', 'runtime', how)
    const noticedMs = await waitFor('it to know that it is alone', async () =>
      (await a.operator.status()).isolated ? '' : 'not isolated',
    )
    const since = performance.now()
    await sleep(CUT_MS)
    const sent = traffic.ended.filter(({ startedAt }) => startedAt > since)
    const astray = sent.filter(
      ({ replica, decided }) => (replica === 'a') === (decided === 'runtime_orchestrator'),
    )
    if (astray.length > 0) throw new Error(`${astray.length} of ${sent.length} turns decided wrongly`)
    stage.heal()
    return [
      `isolated after ${Math.round(noticedMs)} ms; ${sent.length} turns, only its own on the direct LLM`,
    ]
  },
})

export const FLEET_RUNTIME_ROWS: readonly FleetRow[] = [alone('both ways'), alone('one way')]
