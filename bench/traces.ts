import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createConnections, readStream } from './client.js'
import type { MeasuredProcess } from './measured-process.js'
import { startOurs } from './ours.js'
import { median, type Row, row } from './statistics.js'

/** Short turns, in which what a turn costs by itself shows; runs alternate, the median of seven counts. */
const EVENTS = 20
const STREAMS = 16
const TURNS = 60
const RUNS = 7

interface Candidate {
  readonly name: string
  readonly process: MeasuredProcess & { readonly bearer: string }
  readonly headers: Record<string, string>
}

/** CPU of a turn: nobody traces; a client brings a context that is carried on; every span is exported. */
export async function benchTraces(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.end('{}'))
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const off = await startOurs(upstream)
  const on = await startOurs(upstream, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` })
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const candidates: Candidate[] = [
    { name: 'off', process: off, headers: {} },
    { name: 'context', process: off, headers: { traceparent } },
    { name: 'exported', process: on, headers: {} },
  ]
  try {
    const micros = new Map<string, number[]>(candidates.map(({ name }) => [name, []]))
    for (const candidate of candidates) await runTurns(candidate)
    for (let run = 1; run <= RUNS; run++)
      for (const candidate of candidates) {
        const perTurn = await runTurns(candidate)
        micros.get(candidate.name)?.push(perTurn)
        report(`traces, run ${run}/${RUNS}: ${candidate.name} ${perTurn.toFixed(0)} µs/turn`)
      }
    const of = (name: string): number => median(micros.get(name) ?? [])
    return [
      row('turn of 20 events: context carried on / no traces', 'µs CPU/turn', of('off'), of('context'), 1.1),
      row('turn of 20 events: spans exported / no traces', 'µs CPU/turn', of('off'), of('exported'), 2),
    ]
  } finally {
    await Promise.all([off.stop(), on.stop()])
    collector.close()
  }
}

async function runTurns({ process, headers }: Candidate): Promise<number> {
  const body = {
    agentId: 'assistant',
    message: JSON.stringify({ events: EVENTS, everyMs: 0, firstAfterMs: 0 }),
  }
  const connections = createConnections()
  const before = await process.usage()
  await Promise.all(
    Array.from({ length: STREAMS }, async () => {
      for (let turn = 0; turn < TURNS; turn++) {
        const url = `${process.url}/api/v1/chat/start`
        const seen = await readStream(connections, url, { authorization: process.bearer, ...headers }, body)
        if (!seen.complete) throw new Error('a stream ended without its terminal event')
      }
    }),
  )
  const after = await process.usage()
  connections.destroy()
  return (after.cpuMicros - before.cpuMicros) / (STREAMS * TURNS)
}
