import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStream } from './client.js'
import { type MeasuredProcess, startBare } from './measured-process.js'
import { startOurs } from './ours.js'
import { median, type Row, row } from './statistics.js'

/**
 * Memory of 2,000 open streams, KiB each, after a collection; and 10,000 open at once in one process. Each round has processes of its
 * own: what V8 holds beside the objects differs by 20 KiB a stream between two runs of one version. The median counts.
 */
const ROUNDS = 5
const STREAMS = 2000
const MANY = 10_000
/** file descriptors of a stream in the relaying process, and those it has besides */
const DESCRIPTORS = 2
const OTHER_DESCRIPTORS = 200
const BATCH = 100
/** of one stream, and ms between two of them */
const TRIES = 10
const RETRY_MS = 500
/** opened before the first look: until then code is compiled and caches fill */
const WARM_STREAMS = 500
/** ms to the first content of a stream; the next batch waits for it */
const FIRST_MS = 50
const MIB = 1024 * 1024

export async function benchStreams(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const service: Version = {
    name: 'ours',
    path: '/api/v1/chat/start',
    start: async () => {
      const ours = await startOurs(upstream, { CHAT_MAX_STREAMS: String(2 * MANY) })
      return { ...ours, headers: { authorization: ours.bearer } }
    },
  }
  const pipe = floor('pipe', () => startBare('floor.ts', 'pipe', upstream))
  const loop = floor('loop', () => startBare('floor.ts', 'loop', upstream))
  const koaPush = floor('koa-push', () => startBare('koa-push.ts', upstream))
  const versions = [pipe, loop, koaPush, service]
  const found = new Map<Version, StreamMemory[]>(versions.map((version) => [version, []]))
  for (let round = 1; round <= ROUNDS; round += 1)
    for (const version of versions) {
      const memory = await using(version, (running) => kibEach(running, version.path))
      found.get(version)?.push(memory)
      report(`streams, round ${round}/${ROUNDS}: ${version.name} ${told(memory)}`)
    }
  const kib = (version: Version, part: keyof StreamMemory): number =>
    median((found.get(version) ?? []).map((memory) => memory[part]))
  for (const version of versions) {
    const medians = { each: kib(version, 'each'), heap: kib(version, 'heap'), held: kib(version, 'held') }
    report(`streams: ${version.name}, medians: ${told(medians)}`)
  }
  const what = `${STREAMS} open streams: ours /`
  const each = kib(service, 'each')
  return [
    row(`${what} byte pipe`, 'KiB each', kib(pipe, 'each'), each, 1.5),
    row(`${what} parse+map+write loop`, 'KiB each', kib(loop, 'each'), each),
    row(`${what} bare Koa + got, pushed`, 'KiB each', kib(koaPush, 'each'), each),
    ...(await manyOpen(service, pipe, report)),
  ]
}

type Running = MeasuredProcess & { readonly headers: Record<string, string> }

/** What is measured: the service or a floor. */
interface Version {
  readonly name: string
  /** to which streams are posted */
  readonly path: string
  start(): Promise<Running>
}

const floor = (name: string, start: () => Promise<MeasuredProcess>): Version => ({
  name,
  path: '/',
  start: async () => ({ ...(await start()), headers: {} }),
})

async function using<T>(version: Version, measure: (running: Running) => Promise<T>): Promise<T> {
  const running = await version.start()
  try {
    return await measure(running)
  } finally {
    await running.stop()
  }
}

/** KiB a stream */
interface StreamMemory {
  readonly each: number
  /** objects of JavaScript */
  readonly heap: number
  /** what V8 holds for them, used or not */
  readonly held: number
}

const told = ({ each, heap, held }: StreamMemory): string =>
  `${each.toFixed(1)} KiB each; V8 holds ${held.toFixed(1)}, ${heap.toFixed(1)} of it objects`

interface OpenStreams {
  readonly seen: readonly { closed: boolean; close(): void }[]
}

/** Opens so many, a batch at a time; each has had its first content. */
async function open(url: string, headers: Record<string, string>, count: number): Promise<OpenStreams> {
  const body = { agentId: 'assistant', message: JSON.stringify({ events: 1, everyMs: FIRST_MS, hold: true }) }
  const seen: Awaited<ReturnType<typeof openStream>>[] = []
  while (seen.length < count)
    seen.push(...(await Promise.all(Array.from({ length: BATCH }, () => openPatiently(url, headers, body)))))
  return { seen }
}

/** On a busy machine the service is overloaded by so many at once, and refuses some. */
async function openPatiently(...asked: Parameters<typeof openStream>) {
  for (let tries = 1; ; tries += 1)
    try {
      return await openStream(...asked)
    } catch (thrown) {
      if (tries === TRIES) throw thrown
      await sleep(RETRY_MS)
    }
}

async function kibEach(running: Running, path: string): Promise<StreamMemory> {
  const url = `${running.url}${path}`
  const first = await open(url, running.headers, WARM_STREAMS)
  const before = await running.settled()
  const rest = await open(url, running.headers, STREAMS)
  const after = await running.settled()
  for (const stream of [...first.seen, ...rest.seen]) stream.close()
  const grown = (part: 'rssBytes' | 'heapBytes' | 'heldBytes'): number =>
    (after[part] - before[part]) / 1024 / STREAMS
  return { each: grown('rssBytes'), heap: grown('heapBytes'), held: grown('heldBytes') }
}

/** What is still open once all are, and the memory of the whole process then. */
async function manyOpen(service: Version, pipe: Version, report: (text: string) => void): Promise<Row[]> {
  const limit = descriptorLimit()
  const many = Math.min(MANY, Math.floor((limit - OTHER_DESCRIPTORS) / DESCRIPTORS / BATCH) * BATCH)
  if (many < MANY) report(`streams: ${limit} file descriptors a process are enough for ${many} streams`)
  const measure = (version: Version) =>
    using(version, async (running) => {
      const { seen } = await open(`${running.url}${version.path}`, running.headers, many)
      const { rssBytes } = await running.settled()
      const left = seen.filter((stream) => !stream.closed).length
      report(`streams: ${version.name} ${left} of ${many} open, ${(rssBytes / MIB).toFixed(0)} MiB in all`)
      for (const stream of seen) stream.close()
      return { left, mib: rssBytes / MIB }
    })
  const bare = await measure(pipe)
  const own = await measure(service)
  return [
    {
      ...row(`${many} streams in one process, still open (floor: byte pipe)`, 'streams', bare.left, own.left),
      target: `${MANY}`,
      met: own.left >= MANY,
    },
    row(`${many} open streams, the whole process (floor: byte pipe)`, 'MiB', bare.mib, own.mib),
  ]
}

/** Node raises its own limit to the hard one when it starts, and so do the processes under measurement. */
function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  return Number(/^Max open files +(?:\d+|unlimited) +(\d+)/m.exec(limits)?.[1] ?? Number.MAX_SAFE_INTEGER)
}
