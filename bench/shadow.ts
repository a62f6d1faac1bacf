import { createConnections, readStream } from './client.js'
import type { MeasuredProcess } from './measured-process.js'
import { startOurs } from './ours.js'
import { median, quantile, type Row } from './statistics.js'

/**
 * What shadows cost the users: time to first content at 100 turns a second with half of the turns shadowed, beside the same
 * service without, in turns about; and what 10,000 shadows leave behind in memory.
 */
const TURNS_PER_SECOND = 100
const FIRST_AFTER_MS = 20
const SEGMENTS = 16
const SEGMENT_SECONDS = 6
/** at the begin of a segment, when connections are made anew; not looked at */
const WARM_SECONDS = 1
const SHADOWS = 10_000
const WARM_SHADOWS = 2000
const SHADOWED_TURNS_PER_SECOND = 200
/** of 10,000 shadows, beyond what as many turns leave */
const MOST_MIB = 16

type Ours = MeasuredProcess & { readonly bearer: string }

export async function benchShadow(upstream: string, report: (text: string) => void): Promise<Row[]> {
  return [...(await benchFirstContent(upstream, report)), await benchMemory(upstream, report)]
}

async function benchFirstContent(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const without = await startOurs(upstream)
  const half = await startOurs(upstream, { CHAT_RUNTIME_SHADOW_PERCENT: '50' })
  const seen = { direct: [] as number[][], without: [] as number[][], half: [] as number[][] }
  try {
    for (const service of [without, half]) await runTurns(turnsOf(service), SEGMENT_SECONDS)
    for (let segment = 1; segment <= SEGMENTS; segment++) {
      const order = segment % 2 === 0 ? (['without', 'half'] as const) : (['half', 'without'] as const)
      for (const name of order) seen[name].push(await segmentOf(turnsOf(name === 'half' ? half : without)))
      seen.direct.push(await segmentOf(directTo(upstream)))
    }
    for (const [name, segments] of Object.entries(seen))
      report(
        `shadow: ${name} p50 ${typical(segments, 0.5).toFixed(2)} p99 ${typical(segments, 0.99).toFixed(2)} ms`,
      )
    report(`shadow: ${await figure(half, 'chat_shadow_executions_total')} shadows run`)
    report(`shadow: ${await figure(half, 'chat_shadow_dropped_total')} dropped`)
  } finally {
    await Promise.all([without.stop(), half.stop()])
  }
  const added = (name: 'without' | 'half', p: number): number =>
    typical(seen[name], p) - typical(seen.direct, p)
  const row = (what: string, floor: number, ours: number, most?: number): Row => ({
    what,
    unit: 'ms',
    floor,
    ours,
    ratio: ours / floor,
    target: most === undefined ? '' : `≤ ${most} ×`,
    met: most === undefined || ours / floor <= most,
  })
  return [
    row('added to first content, p50, 50% shadow (floor: 0%)', added('without', 0.5), added('half', 0.5)),
    row(
      'added to first content, p99, 50% shadow (floor: 0%)',
      added('without', 0.99),
      added('half', 0.99),
      1.1,
    ),
    row(
      'time to first content, p99, 50% shadow (floor: 0%)',
      typical(seen.without, 0.99),
      typical(seen.half, 0.99),
    ),
  ]
}

const segmentOf = async (target: Target): Promise<number[]> =>
  (await runTurns(target, SEGMENT_SECONDS)).slice(WARM_SECONDS * TURNS_PER_SECOND)

/** The median of the segments' quantiles: what else the machine does for a second or two is in few of them. */
const typical = (segments: readonly (readonly number[])[], p: number): number =>
  median(segments.map((times) => quantile(times, p)))

async function benchMemory(upstream: string, report: (text: string) => void): Promise<Row> {
  const without = await grownMiB(upstream, '0', report)
  const all = await grownMiB(upstream, '100', report)
  return {
    what: `memory left by ${SHADOWS} shadows (floor: as many turns without)`,
    unit: 'MiB',
    floor: without,
    ours: all,
    ratio: all / without,
    target: `≤ + ${MOST_MIB} MiB`,
    met: all - without <= MOST_MIB,
  }
}

async function grownMiB(upstream: string, percent: string, report: (text: string) => void): Promise<number> {
  const service = await startOurs(upstream, { CHAT_RUNTIME_SHADOW_PERCENT: percent })
  const isShadowed = percent !== '0'
  const run = async (shadows: number): Promise<void> => {
    const done = () =>
      isShadowed ? figure(service, 'chat_shadow_executions_total') : figure(service, 'chat_executions_total')
    const until = (await done()) + shadows
    while ((await done()) < until) await runTurns(turnsOf(service, AT_ONCE), 5, SHADOWED_TURNS_PER_SECOND)
  }
  try {
    await run(WARM_SHADOWS)
    const before = await service.settled()
    await run(SHADOWS)
    const after = await service.settled()
    const grown = (after.rssBytes - before.rssBytes) / 1024 / 1024
    report(
      `shadow: at ${percent}% ${(before.rssBytes / 1024 / 1024).toFixed(1)} MiB, then ${grown.toFixed(1)} more`,
    )
    return grown
  } finally {
    await service.stop()
  }
}

/** The samples of one metric of the service, added up. */
async function figure(service: Ours, name: string): Promise<number> {
  const lines = (await (await fetch(`${service.url}/metrics`)).text()).split('\n')
  return lines
    .filter((line) => line.startsWith(`${name}{`))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

interface Target {
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: object
}

const AT_ONCE = { events: 20, everyMs: 0, firstAfterMs: 0 }
const ORDER = { events: 5, everyMs: 10, firstAfterMs: FIRST_AFTER_MS }

const turnsOf = (service: Ours, order: object = ORDER): Target => ({
  url: `${service.url}/api/v1/chat/start`,
  headers: { authorization: service.bearer },
  body: { agentId: 'assistant', message: JSON.stringify(order) },
})

const directTo = (upstream: string): Target => ({
  url: `${upstream}/api/v1/execute/stream`,
  headers: {},
  body: { session_id: 's', agent_id: 'a', org_id: 'o', user_message: JSON.stringify(ORDER) },
})

/** Open loop: turns start at their times whether or not the earlier ones have ended. ms to first content. */
async function runTurns(target: Target, seconds: number, perSecond = TURNS_PER_SECOND): Promise<number[]> {
  const connections = createConnections()
  const turns: Promise<number>[] = []
  const startedAt = performance.now()
  for (let turn = 0; turn < seconds * perSecond; turn++) {
    const dueIn = startedAt + (turn * 1000) / perSecond - performance.now()
    if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn))
    turns.push(
      readStream(connections, target.url, target.headers, target.body).then(
        ({ firstContentMs }) => firstContentMs,
      ),
    )
  }
  const times = await Promise.all(turns)
  connections.destroy()
  return times
}
