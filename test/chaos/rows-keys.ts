import { setTimeout as sleep } from 'node:timers/promises'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'
import { waitFor } from './wait-for.js'

/** What a rolling restart meets while the server of the signing keys is away. */

/** ms that a start waits for the keys themselves */
const READY_WAIT_MS = 1000
/** ms of traffic with the replicas as they are */
const LASTS_MS = 1500

const unreachable: Row = {
  name: 'key server down, then silent, then starting: a rolling restart',
  stage: { replicas: 2, perSecond: 50, guardrails: DRILL, keyServer: true },
  tolerates: /token keys not refreshed/,
  async drill(stage) {
    const { keyServer } = stage
    const since = performance.now()
    await keyServer.close()
    await sleep(LASTS_MS)
    const downMs = await rolled(stage, 'a')
    await keyServer.open()
    keyServer.mode = 'hangs'
    const silentMs = await rolled(stage, 'b')
    keyServer.mode = 'starts'
    await sleep(LASTS_MS)
    const told = await alerted(stage)
    if (told !== '') throw new Error(`no alert: ${told}`)
    const answered = stage.traffic.ended.filter(({ startedAt, kind }) => startedAt >= since && kind === 'ok')
    keyServer.mode = 'answers'
    const clearMs = await waitFor('the alert to end', async () =>
      (await alerted(stage)) === '' ? 'told' : '',
    )
    return [
      `ready by the kept keys after ${Math.round(downMs)} ms (refused) and ${Math.round(silentMs)} ms (silent)`,
      `${answered.length} turns answered meanwhile; alerted on both`,
      `the alert was over ${Math.round(clearMs)} ms after the keys came`,
    ]
  },
}

/** ms from its start until it is ready, and it says why it goes by kept keys. */
async function rolled(stage: Stage, name: string): Promise<number> {
  await stage.rollReplica(name, { CHAT_READY_WAIT_MS: String(READY_WAIT_MS) })
  const { startedInMs } = stage.replica(name)
  await waitFor(`${name} to alert`, () => alertedOn(stage, name))
  await sleep(LASTS_MS)
  return startedInMs
}

async function alerted(stage: Stage): Promise<string> {
  const said = await Promise.all(stage.replicas.map(({ name }) => alertedOn(stage, name)))
  return said.filter((text) => text !== '').join('; ')
}

/** `""` where it alerts. */
async function alertedOn(stage: Stage, name: string): Promise<string> {
  const { alerts } = await stage.replica(name).operator.status()
  return alerts.some((alert) => alert.includes('JWKS_URL')) ? '' : `${name} says ${JSON.stringify(alerts)}`
}

export const KEY_ROWS: readonly Row[] = [unreachable]
