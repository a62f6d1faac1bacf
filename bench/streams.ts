import { readFileSync } from 'node:fs'
import { openStream } from './client.js'
import { type MeasuredProcess, startBare } from './measured-process.js'
import { startOurs } from './ours.js'
import { type Row, row } from './statistics.js'

/** Memory of 2,000 open streams, KiB each, after a collection; and 10,000 open at once in one process. */
const STREAMS = 2000
const MANY = 10_000
/** file descriptors of a stream in the relaying process, and those it has besides */
const DESCRIPTORS = 2
const OTHER_DESCRIPTORS = 200
const BATCH = 100
/** opened before the first look: until then code is compiled and caches fill */
const WARM_STREAMS = 500
/** ms to the first content of a stream; the next batch waits for it */
const FIRST_MS = 50
const MIB = 1024 * 1024

export async function benchStreams(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const ours = await startOurs(upstream, { CHAT_MAX_STREAMS: String(2 * MANY) })
  const loop = await startBare('floor.ts', 'loop', upstream)
  const pipe = await startBare('floor.ts', 'pipe', upstream)
  const koaPush = await startBare('koa-push.ts', upstream)
  const headers = { authorization: ours.bearer }
  try {
    const kib = async (name: string, process: MeasuredProcess, path: string, sent = {}): Promise<number> => {
      const { each, heap } = await kibEach(process, path, sent)
      report(`streams: ${name} ${each.toFixed(1)} KiB each, ${heap.toFixed(1)} of them JavaScript's`)
      return each
    }
    const pipeKiB = await kib('pipe', pipe, '/')
    const loopKiB = await kib('loop', loop, '/')
    const koaKiB = await kib('koa-push', koaPush, '/')
    const oursKiB = await kib('ours', ours, '/api/v1/chat/start', headers)
    const what = `${STREAMS} open streams: ours /`
    return [
      row(`${what} byte pipe`, 'KiB each', pipeKiB, oursKiB, 1.5),
      row(`${what} parse+map+write loop`, 'KiB each', loopKiB, oursKiB),
      row(`${what} bare Koa + got, pushed`, 'KiB each', koaKiB, oursKiB),
      ...(await manyOpen(ours, pipe, headers, report)),
    ]
  } finally {
    await Promise.all([ours.stop(), loop.stop(), pipe.stop(), koaPush.stop()])
  }
}

interface OpenStreams {
  readonly seen: readonly { closed: boolean; close(): void }[]
}

/** Opens so many, a batch at a time; each has had its first content. */
async function open(url: string, headers: Record<string, string>, count: number): Promise<OpenStreams> {
  const body = { agentId: 'assistant', message: JSON.stringify({ events: 1, everyMs: FIRST_MS, hold: true }) }
  const seen: Awaited<ReturnType<typeof openStream>>[] = []
  while (seen.length < count)
    seen.push(...(await Promise.all(Array.from({ length: BATCH }, () => openStream(url, headers, body)))))
  return { seen }
}

async function kibEach(process: MeasuredProcess, path: string, headers: Record<string, string>) {
  const url = `${process.url}${path}`
  const first = await open(url, headers, WARM_STREAMS)
  const before = await process.settled()
  const rest = await open(url, headers, STREAMS)
  const after = await process.settled()
  for (const stream of [...first.seen, ...rest.seen]) stream.close()
  return {
    each: (after.rssBytes - before.rssBytes) / 1024 / STREAMS,
    heap: (after.heapBytes - before.heapBytes) / 1024 / STREAMS,
  }
}

/** What is still open once all are, and the memory of the whole process then. */
async function manyOpen(
  ours: MeasuredProcess,
  pipe: MeasuredProcess,
  headers: Record<string, string>,
  report: (text: string) => void,
): Promise<Row[]> {
  const limit = descriptorLimit()
  const many = Math.min(MANY, Math.floor((limit - OTHER_DESCRIPTORS) / DESCRIPTORS / BATCH) * BATCH)
  if (many < MANY) report(`streams: ${limit} file descriptors a process are enough for ${many} streams`)
  const measure = async (name: string, process: MeasuredProcess, path: string, sent = {}) => {
    const { seen } = await open(`${process.url}${path}`, sent, many)
    const { rssBytes } = await process.settled()
    const left = seen.filter((stream) => !stream.closed).length
    report(`streams: ${name} ${left} of ${many} open, ${(rssBytes / MIB).toFixed(0)} MiB in all`)
    for (const stream of seen) stream.close()
    return { left, mib: rssBytes / MIB }
  }
  const floor = await measure('pipe', pipe, '/')
  const own = await measure('ours', ours, '/api/v1/chat/start', headers)
  return [
    {
      ...row(
        `${many} streams in one process, still open (floor: byte pipe)`,
        'streams',
        floor.left,
        own.left,
      ),
      target: `${MANY}`,
      met: own.left >= MANY,
    },
    row(`${many} open streams, the whole process (floor: byte pipe)`, 'MiB', floor.mib, own.mib),
  ]
}

/** Node raises its own limit to the hard one when it starts, and so do the processes under measurement. */
function descriptorLimit(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  return Number(/^Max open files +(?:\d+|unlimited) +(\d+)/m.exec(limits)?.[1] ?? Number.MAX_SAFE_INTEGER)
}
