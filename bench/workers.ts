import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { createConnections, readStream } from './client.js'
import type { MeasuredProcess } from './measured-process.js'
import { startOurs } from './ours.js'
import { median, type Row, row } from './statistics.js'

/**
 * Two workers beside one: what of two cores they can use. The load and the upstream need CPU too, so on a machine of two cores
 * the throughput of the clock says little; the CPU an event costs, all processes of the service added up, and how evenly the
 * workers share it say how many events two cores of their own would carry. As fast as possible, one worker is so busy that each of its reads
 * brings many events, which makes them cheaper than those of two; so the same is measured with streams at a pace, as many for each worker.
 */
const EVENTS = 600
const RUNS = 5

interface Load {
  readonly name: string
  readonly streamsOf: (workers: number) => number
  readonly turns: number
  readonly everyMs: number
}

const FAST: Load = { name: 'as fast as possible', streamsOf: () => 64, turns: 4, everyMs: 0 }
const PACED: Load = {
  name: '100 streams at 20 events/s for each worker',
  streamsOf: (workers) => 100 * workers,
  turns: 1,
  everyMs: 50,
}

/** ms of CPU in a tick of /proc */
const TICK_MS = 10

interface Measured {
  /** µs of CPU an event, all processes */
  readonly micros: number
  /** of that CPU, the part of the process that has most */
  readonly most: number
  readonly perSecond: number
}

export async function benchWorkers(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const one = await startOurs(upstream, { CHAT_WORKERS: '1' })
  const two = await startOurs(upstream, { CHAT_WORKERS: '2' })
  try {
    const fast = await compare(one, two, FAST, report)
    return [...fast, ...(await compare(one, two, PACED, report))]
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
}

type Service = MeasuredProcess & { readonly bearer: string }

async function compare(
  one: Service,
  two: Service,
  load: Load,
  report: (text: string) => void,
): Promise<Row[]> {
  const seen = { one: [] as Measured[], two: [] as Measured[] }
  for (let run = 0; run <= RUNS; run++)
    for (const [name, service, workers] of [
      ['one', one, 1],
      ['two', two, 2],
    ] as const) {
      const measured = await measure(service, load, workers)
      if (run === 0) continue // warm-up
      seen[name].push(measured)
      const { micros, most, perSecond } = measured
      report(
        `workers, ${load.name}, run ${run}/${RUNS}: ${name} ${micros.toFixed(2)} µs/event, ${(most * 100).toFixed(0)}% in one process, ${perSecond.toFixed(0)} events/s`,
      )
    }
  const capacity = ({ micros, most }: Measured): number => 1e6 / (micros * most)
  const of = (what: (measured: Measured) => number) =>
    [median(seen.one.map(what)), median(seen.two.map(what))] as const
  const gained = row(
    `${load.name}: events a second, each process on a core of its own: 2 workers / 1`,
    '1/s',
    ...of(capacity),
  )
  const micros = row(
    `${load.name}: CPU of an event, all processes: 2 workers / 1`,
    'µs CPU/event',
    ...of((measured) => measured.micros),
  )
  const rows = [{ ...gained, target: '≥ 1.8 ×', met: gained.ratio >= 1.8 }, micros]
  if (load.everyMs > 0) return rows
  return [
    ...rows,
    row(
      `${load.name}: events a second of the clock, ${cpus().length} cores with load and upstream on them: 2 workers / 1`,
      '1/s',
      ...of(({ perSecond }) => perSecond),
    ),
  ]
}

async function measure(service: Service, load: Load, workers: number): Promise<Measured> {
  const { everyMs, turns } = load
  const streams = load.streamsOf(workers)
  const body = {
    agentId: 'assistant',
    message: JSON.stringify({ events: EVENTS, everyMs, firstAfterMs: 0 }),
  }
  const connections = createConnections()
  const before = cpuOf(service.pid)
  const startedAt = performance.now()
  await Promise.all(
    Array.from({ length: streams }, async (_, at) => {
      // paced streams start spread over one period, as real ones are
      await new Promise((resolve) => setTimeout(resolve, (everyMs * at) / streams))
      for (let turn = 0; turn < turns; turn++) {
        const url = `${service.url}/api/v1/chat/start`
        const { complete } = await readStream(connections, url, { authorization: service.bearer }, body)
        if (!complete) throw new Error('a stream ended without its terminal event')
      }
    }),
  )
  const seconds = (performance.now() - startedAt) / 1000
  const after = cpuOf(service.pid)
  connections.destroy()
  const spent = [...after].map(([pid, ms]) => ms - (before.get(pid) ?? 0))
  const all = spent.reduce((sum, ms) => sum + ms, 0)
  const events = streams * turns * EVENTS
  return { micros: (all * 1000) / events, most: Math.max(...spent) / all, perSecond: events / seconds }
}

/** ms of CPU so far of a process and its children, by their ids. */
function cpuOf(pid: number): Map<number, number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  const pids = [pid, ...children.filter((child) => child !== '').map(Number)]
  return new Map(pids.map((one) => [one, ticksOf(one) * TICK_MS]))
}

function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}
