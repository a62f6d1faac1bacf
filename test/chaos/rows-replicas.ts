import { setTimeout as sleep } from 'node:timers/promises'
import { DRILL } from './guardrails.js'
import type { Row } from './row.js'
import type { Stage } from './stage.js'
import { waitFor } from './wait-for.js'

/** Three replicas on the same files. */

const STAGE = { replicas: 3, perSecond: 50, guardrails: DRILL } as const
const SICK_MS = 1500

const together: Row = {
  name: '3 replicas, the runtime killed for all',
  stage: STAGE,
  async drill(stage) {
    const since = stage.runtime.kill()
    await stage.fileIs('fallback', since)
    await sleep(SICK_MS)
    const trips = stage.watch.last?.trips
    if (trips !== 1) throw new Error(`one outage counted as ${trips} trips`)
    await stage.runtime.restart()
    return ['one trip for all']
  },
}

const holderKilled: Row = {
  name: '3 replicas, the holder of the lease killed during the recovery',
  stage: STAGE,
  async drill(stage) {
    const since = stage.runtime.kill()
    await stage.fileIs('fallback', since)
    await sleep(SICK_MS)
    await stage.runtime.restart()
    await stage.fileIs('recovering', since)
    const holder = await holderOf(stage)
    const killedAt = performance.now()
    await stage.killReplica(holder)
    const { at } = await stage.fileSays(
      'a step of another replica',
      killedAt,
      ({ replica }) => replica !== holder,
    )
    await stage.restartReplica(holder)
    return [
      `taken over, and the next step made, after ${seconds(at - killedAt)} s (lease ${DRILL.leaseSeconds} s)`,
    ]
  },
}

/** The first replica's line to the runtime is cut: it trips for all, and must not hold the others back. */
const alone: Row = {
  name: '3 replicas, one alone without the runtime',
  stage: { ...STAGE, proxied: true },
  async drill(stage) {
    const { proxy, traffic } = stage
    const since = performance.now()
    proxy.cut()
    const { at } = await stage.fileIs('fallback', since)
    const normal = await stage.fileIs('normal', at)
    await waitFor('it to know that it is alone', async () =>
      (await stage.replica('a').operator.status()).isolated ? '' : 'not isolated',
    )
    const normalAt = performance.now()
    await sleep(SICK_MS)
    const status = await stage.replica('a').operator.status()
    if (!status.isolated) throw new Error('it forgot that it is alone')
    const astray = traffic.ended.filter(
      ({ replica, startedAt, decided }) =>
        replica === 'a' && startedAt > normalAt && decided === 'runtime_orchestrator',
    )
    if (astray.length > 0) throw new Error(`it sent ${astray.length} of its own turns to the runtime`)
    proxy.restore()
    return [`the others normal without it after ${seconds(normal.at - at)} s`]
  },
}

async function holderOf({ replicas }: Stage): Promise<string> {
  let holder: string | undefined
  await waitFor('a holder of the lease', async () => {
    const said = await Promise.all(replicas.map(({ operator }) => operator.status()))
    holder = said.find(({ lease }) => lease.mine)?.replica
    return holder === undefined ? 'nobody has it' : ''
  })
  return holder ?? ''
}

const seconds = (ms: number): string => (ms / 1000).toFixed(1)

export const REPLICA_ROWS: readonly Row[] = [together, holderKilled, alone]
