import { createConnections, readStream } from './client.js'
import { type MeasuredProcess, startBare } from './measured-process.js'
import { startOurs } from './ours.js'
import { median, type Row, row } from './statistics.js'

/** CPU of the relaying process per SSE event, in two loads; runs alternate, the median of five counts. */
const EVENTS = 600
const RUNS = 5

interface Load {
  readonly name: string
  readonly streams: number
  readonly turnsPerStream: number
  readonly everyMs: number
  /** against the bare push relay */
  readonly most: number
  /** against Koa and the SDK of OpenAI; absent: told without a target */
  readonly mostOfSdk?: number
}

const LOADS: readonly Load[] = [
  { name: '16 streams as fast as possible', streams: 16, turnsPerStream: 12, everyMs: 0, most: 1.35 },
  {
    name: '200 streams at 20 events/s',
    streams: 200,
    turnsPerStream: 1,
    everyMs: 50,
    most: 1.15,
    mostOfSdk: 0.65,
  },
]

interface Candidate {
  readonly name: string
  readonly process: MeasuredProcess
  readonly path: string
  readonly headers: Record<string, string>
}

export async function benchRelay(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const ours = await startOurs(upstream)
  const loop = await startBare('floor.ts', 'loop', upstream)
  const pipe = await startBare('floor.ts', 'pipe', upstream)
  const push = await startBare('koa-push.ts', upstream)
  const sdk = await startBare('koa-openai.ts', upstream)
  const candidates: Candidate[] = [
    { name: 'pipe', process: pipe, path: '/', headers: {} },
    { name: 'loop', process: loop, path: '/', headers: {} },
    { name: 'sdk', process: sdk, path: '/', headers: {} },
    { name: 'push', process: push, path: '/', headers: {} },
    { name: 'ours', process: ours, path: '/api/v1/chat/start', headers: { authorization: ours.bearer } },
  ]
  try {
    const rows: Row[] = []
    for (const load of LOADS) rows.push(...(await benchLoad(load, candidates, report)))
    return rows
  } finally {
    await Promise.all(candidates.map((candidate) => candidate.process.stop()))
  }
}

async function benchLoad(
  load: Load,
  candidates: Candidate[],
  report: (text: string) => void,
): Promise<Row[]> {
  const micros = new Map<string, number[]>(candidates.map((candidate) => [candidate.name, []]))
  for (const candidate of candidates)
    await runLoad(candidate, { ...load, everyMs: Math.min(load.everyMs, 1) })
  for (let run = 1; run <= RUNS; run++) {
    for (const candidate of candidates) {
      const perEvent = await runLoad(candidate, load)
      micros.get(candidate.name)?.push(perEvent)
      report(`relay, ${load.name}, run ${run}/${RUNS}: ${candidate.name} ${perEvent.toFixed(2)} µs/event`)
    }
  }
  const against = (name: string, floor: string, most?: number): Row => {
    const what = `relay, ${load.name}: ours / ${floor}`
    return row(what, 'µs CPU/event', median(micros.get(name) ?? []), median(micros.get('ours') ?? []), most)
  }
  return [
    against('push', 'bare Koa + got, pushed', load.most),
    against('sdk', 'Koa + OpenAI SDK', load.mostOfSdk),
    against('loop', 'parse+map+write loop'),
    against('pipe', 'byte pipe'),
  ]
}

async function runLoad(candidate: Candidate, load: Load): Promise<number> {
  const body = {
    agentId: 'assistant',
    message: JSON.stringify({ events: EVENTS, everyMs: load.everyMs, firstAfterMs: 0 }),
  }
  const connections = createConnections()
  const before = await candidate.process.usage()
  await Promise.all(
    Array.from({ length: load.streams }, async (_, at) => {
      // paced streams start spread over one period, as real ones are
      await new Promise((resolve) => setTimeout(resolve, (load.everyMs * at) / load.streams))
      for (let turn = 0; turn < load.turnsPerStream; turn++) {
        const seen = await readStream(
          connections,
          `${candidate.process.url}${candidate.path}`,
          candidate.headers,
          body,
        )
        if (!seen.complete) throw new Error(`${candidate.name}: a stream ended without its terminal event`)
      }
    }),
  )
  const after = await candidate.process.usage()
  connections.destroy()
  return (after.cpuMicros - before.cpuMicros) / (load.streams * load.turnsPerStream * EVENTS)
}
