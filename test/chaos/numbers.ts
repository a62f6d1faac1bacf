import { setTimeout as sleep } from 'node:timers/promises'
import { errorText } from '../../src/core/errors.js'
import { startTurn } from '../support/chat-client.js'
import { bearer } from '../support/processes.js'
import { Stage, type StageOptions } from './stage.js'
import type { Measure } from './statistics.js'
import { waitFor } from './wait-for.js'

/** The numbers at the guardrails as shipped. */

const SHIPPED = { replicas: 2, perSecond: 100, guardrails: {}, lookEveryMs: 1 } as const
const ROUNDS = 5
/** ms of the shipped probe interval: each round begins at another moment of it */
const PHASE_MS = 1000
/** ms after the trip in which nothing may fail either */
const AFTER_MS = 500

export interface Numbers {
  readonly measures: readonly Measure[]
  readonly faults: readonly string[]
}

/** Never rejects. */
export async function measureNumbers(report: (text: string) => void): Promise<Numbers> {
  const measures: Measure[] = []
  const faults: string[] = []
  for (const measure of [deaths, follows, silence]) {
    try {
      for (const one of await measure()) {
        measures.push(one)
        report(`${one.what}: ${one.values.map(Math.round).join(', ')} ms (${one.note})`)
      }
    } catch (thrown) {
      faults.push(errorText(thrown))
      report(errorText(thrown))
    }
  }
  return { measures, faults }
}

interface Round {
  readonly ms: readonly number[]
  readonly failed: number
  readonly failedOver: number
}

/** Dead and refusing runtimes under 100 turns/s. */
async function deaths(): Promise<Measure[]> {
  return onStage(SHIPPED, async (stage) => {
    const { runtime } = stage
    const killed = await rounds(
      stage,
      ROUNDS,
      () => Promise.resolve(runtime.kill()),
      () => runtime.restart(),
    )
    const refused = await rounds(
      stage,
      ROUNDS,
      async () => {
        await runtime.set({ refuse: true })
        return performance.now()
      },
      () => runtime.set({}),
    )
    const frozen = await rounds(
      stage,
      ROUNDS,
      async () => {
        runtime.freeze()
        return performance.now()
      },
      async () => runtime.thaw(),
    )
    return [
      {
        what: 'runtime killed (SIGKILL), 100 turns/s: override in the store',
        target: '≤ 1 s; ≤ 300 ms for refused connections',
        values: killed.ms,
        most: 300,
        note: noteOf(killed),
      },
      {
        what: 'runtime resets every connection, 100 turns/s: override in the store',
        target: '≤ 300 ms',
        values: refused.ms,
        most: 300,
        note: noteOf(refused),
      },
      {
        what: 'runtime hung (SIGSTOP), 100 turns/s: override in the store',
        target: '≤ 2.6 s: a probe of 2 s, and a burst',
        values: frozen.ms,
        most: 2600,
        note: noteOf(frozen),
      },
    ]
  })
}

/** Only one replica loses the runtime; the other follows by the flag store alone. */
async function follows(): Promise<Measure[]> {
  return onStage({ ...SHIPPED, proxied: true }, async (stage) => {
    const statusMs: number[] = []
    const decidedMs: number[] = []
    const { proxy, traffic } = stage
    const round = await rounds(
      stage,
      ROUNDS,
      async () => {
        const since = performance.now()
        proxy.cut()
        const { at } = await stage.fileIs('fallback', since)
        statusMs.push((await statusChanged(stage)) - at)
        await sleep(AFTER_MS)
        const late = traffic.ended.filter(
          ({ replica, startedAt, decided }) =>
            replica === 'b' && startedAt > at && decided === 'runtime_orchestrator',
        )
        const direct = traffic.ended.filter(
          ({ replica, startedAt, reason }) => replica === 'b' && startedAt > at && reason === 'fallback',
        )
        if (direct.length === 0) throw new Error('the second replica never followed')
        decidedMs.push(Math.max(0, ...late.map(({ startedAt }) => startedAt - at)))
        return since
      },
      async () => proxy.restore(),
    )
    return [
      {
        what: 'one replica alone loses the runtime, 100 turns/s: override in the store',
        target: '≤ 300 ms',
        values: round.ms,
        most: 300,
        note: noteOf(round),
      },
      {
        what: '… from there until the status of the second replica says so',
        target: '',
        values: statusMs,
        note: 'its runtime is well: it follows by the flag store alone',
      },
      {
        what: '… from there until its last own turn that is still decided for the runtime',
        target: '',
        values: decidedMs,
        note: '0: none after the write; 50 turns/s on it',
      },
    ]
  })
}

async function statusChanged(stage: Stage): Promise<number> {
  const { operator } = stage.replica('b')
  await waitFor('the second replica to follow', async () => {
    const { fallback } = await operator.status()
    return fallback.state === 'fallback' ? '' : fallback.state
  })
  return performance.now()
}

/** Nobody is there: only the probe can tell. One turn before, or health alone would not count. */
async function silence(): Promise<Measure[]> {
  return onStage({ ...SHIPPED, perSecond: 0 }, async (stage) => {
    const { runtime } = stage
    const member = await bearer()
    const round = await rounds(
      stage,
      ROUNDS,
      async () => {
        await startTurn(stage.replica('a').url, member)
        await sleep(Math.random() * PHASE_MS)
        return runtime.kill()
      },
      () => runtime.restart(),
    )
    return [
      {
        what: 'runtime killed (SIGKILL), no traffic: override in the store',
        target: '≤ 1 s and a burst',
        values: round.ms,
        most: 1500,
        note: 'one turn of the runtime before; found by the probe alone',
      },
    ]
  })
}

async function rounds(
  stage: Stage,
  count: number,
  begin: () => Promise<number>,
  end: () => Promise<void>,
): Promise<Round> {
  const ms: number[] = []
  const before = stage.traffic.ended.length
  for (let n = 0; n < count; n += 1) {
    await sleep(Math.random() * PHASE_MS)
    const looked = performance.now()
    const since = await begin()
    const { at } = await stage.fileIs('fallback', looked)
    ms.push(at - since)
    await sleep(AFTER_MS)
    await end()
    await stage.replica('a').operator.reset()
    await stage.backToNormal()
  }
  const turns = stage.traffic.ended.slice(before)
  return {
    ms,
    failed: turns.filter(({ kind }) => kind === 'failed_before' || kind === 'broken').length,
    failedOver: turns.filter(({ failover }) => failover).length,
  }
}

const noteOf = ({ ms, failed, failedOver }: Round): string =>
  `${failed} failed turns before the commit point, ${failedOver} failed over, in ${ms.length} outages`

async function onStage(
  options: StageOptions,
  measure: (stage: Stage) => Promise<Measure[]>,
): Promise<Measure[]> {
  const stage = await Stage.open(options)
  try {
    const measures = await measure(stage)
    await stage.traffic.stop()
    const failed = stage.traffic.ended.filter(({ kind }) => kind === 'failed_before' || kind === 'broken')
    if (failed.length > 0)
      throw new Error(`${failed.length} turns failed while it was measured: ${failed[0]?.detail}`)
    if (stage.watch.faults.length > 0) throw new Error(`override: ${stage.watch.faults.join('; ')}`)
    return measures
  } finally {
    await stage.close()
  }
}
