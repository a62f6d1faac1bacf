import { openStream } from './client.js'
import { type MeasuredProcess, startBare } from './measured-process.js'
import { startOurs } from './ours.js'
import type { Row } from './statistics.js'

/** Memory of 2,000 open streams, KiB each, after a collection. */
const STREAMS = 2000
const BATCH = 100

export async function benchStreams(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const ours = await startOurs(upstream)
  const loop = await startBare('floor.ts', 'loop', upstream)
  try {
    const floorKiB = await kibEach(loop, '/', {})
    report(`streams: loop ${floorKiB.toFixed(1)} KiB each`)
    const oursKiB = await kibEach(ours, '/api/v1/chat/start', { authorization: ours.bearer })
    report(`streams: ours ${oursKiB.toFixed(1)} KiB each`)
    return [
      {
        what: `${STREAMS} open streams (floor: parse+map+write loop)`,
        unit: 'KiB each',
        floor: floorKiB,
        ours: oursKiB,
        ratio: oursKiB / floorKiB,
        target: '',
        met: true,
      },
    ]
  } finally {
    await Promise.all([ours.stop(), loop.stop()])
  }
}

async function kibEach(
  process: MeasuredProcess,
  path: string,
  headers: Record<string, string>,
): Promise<number> {
  const body = { agentId: 'assistant', message: JSON.stringify({ events: 1, everyMs: 2000, hold: true }) }
  const open: { close(): void }[] = []
  const openMore = async (count: number): Promise<void> => {
    open.push(
      ...(await Promise.all(
        Array.from({ length: count }, () => openStream(`${process.url}${path}`, headers, body)),
      )),
    )
  }
  await openMore(BATCH)
  const before = await process.settled()
  while (open.length < STREAMS + BATCH) await openMore(BATCH)
  const after = await process.settled()
  for (const stream of open) stream.close()
  return (after.rssBytes - before.rssBytes) / 1024 / STREAMS
}
