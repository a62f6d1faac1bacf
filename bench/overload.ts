import { mkdirSync, writeFileSync } from 'node:fs'
import { startOurs } from './ours.js'
import { type Client, type Load, openConnections, putLoad } from './overload-load.js'
import { type OrgBar, overloadPlot, type ServedPoint } from './overload-plot.js'
import { median, type Row, row } from './statistics.js'

/**
 * More turns than can be served: by places (a service that is told how many streams it may open) and by the event loop (one that has
 * to find out). Beside each, the peak measured in the same run. Then one org that asks for all of it beside nine modest ones.
 */

/** a turn of about half a second */
const ORDER = { events: 10, everyMs: 45, firstAfterMs: 45 }
const STEP_SECONDS = 5
const SECONDS = 15
/** for queues and levels to come to rest between two loads */
const REST_MS = 6_000
const TIMES = 3
const PLACES = 40
/** turns a second of the first step, and what is added with each */
const STEPS = { places: [30, 50, 70, 90, 110], loop: [60, 100, 140, 180, 220, 260, 300, 350, 400] } as const
/** a step that serves less than this of what was asked is beyond the peak */
const SERVED_SHARE = 0.97
const MODEST_ORGS = 9
/** of its share that a modest org asks for */
const MODEST_SHARE = 0.9

export async function benchOverload(upstream: string, report: (text: string) => void): Promise<Row[]> {
  const places = await overloadOf(
    'places',
    upstream,
    { CHAT_MAX_STREAMS: String(PLACES) },
    STEPS.places,
    report,
  )
  const loop = await overloadOf('event loop', upstream, { CHAT_MAX_STREAMS: '20000' }, STEPS.loop, report)
  const fair = await fairness(upstream, report)
  mkdirSync('bench/results', { recursive: true })
  writeFileSync('bench/results/overload.svg', overloadPlot(loop.curve, fair.bars))
  report('the plot is bench/results/overload.svg; docs/images/overload.svg is where the documents show it')
  return [...places.rows, ...loop.rows, ...fair.rows]
}

async function overloadOf(
  what: string,
  upstream: string,
  env: Record<string, string>,
  steps: readonly number[],
  report: (text: string) => void,
): Promise<{ readonly rows: Row[]; readonly curve: readonly ServedPoint[] }> {
  const service = await startOurs(upstream, env)
  const agent = await openConnections(service.url)
  const curve: ServedPoint[] = []
  const load = async (perSecond: number, seconds: number): Promise<Load> => {
    const client: Client = { name: 'bench', bearer: service.bearer, perSecond }
    const put = await putLoad({ url: service.url, agent }, ORDER, [client], seconds)
    await new Promise((resolve) => setTimeout(resolve, REST_MS))
    report(
      `overload by ${what}, ${perSecond.toFixed(0)}/s: ${put.goodput.toFixed(1)}/s complete, p99 ${put.p99.toFixed(0)} ms, ${put.refused} refused, ${put.broken} broken, load late by ${put.lateMs.toFixed(0)} ms at most`,
    )
    return put
  }
  try {
    await load(steps[0] ?? 1, STEP_SECONDS) // warm-up
    let peak = steps[0] ?? 1
    for (const perSecond of steps) {
      const { goodput } = await load(perSecond, STEP_SECONDS)
      curve.push({ asked: perSecond, served: goodput })
      peak = Math.max(peak, goodput)
      if (goodput < perSecond * SERVED_SHARE) break
    }
    // Both last equally long, so that the p99 are of as much.
    const atPeak = await load(peak, SECONDS)
    const beyond = await load(TIMES * peak, SECONDS)
    curve.push({ asked: TIMES * peak, served: beyond.goodput })
    const served = row(
      `complete turns at ${TIMES} × the peak / at the peak (by ${what})`,
      '1/s',
      atPeak.goodput,
      beyond.goodput,
    )
    return {
      curve,
      rows: [
        { ...served, target: '≥ 0.9 ×', met: served.ratio >= 0.9 },
        row(
          `p99 of admitted turns at ${TIMES} × the peak / at the peak (by ${what})`,
          'ms',
          atPeak.p99,
          beyond.p99,
          1.5,
        ),
        {
          ...row(`turns that broke at ${TIMES} × the peak (by ${what})`, '', 1, beyond.broken),
          target: '= 0',
          met: beyond.broken === 0,
        },
      ],
    }
  } finally {
    agent.destroy()
    await service.stop()
  }
}

/** One org asks for three times all places, nine for nine tenths of their share each. */
async function fairness(
  upstream: string,
  report: (text: string) => void,
): Promise<{ readonly rows: Row[]; readonly bars: readonly OrgBar[] }> {
  const service = await startOurs(upstream, { CHAT_MAX_STREAMS: String(PLACES) })
  const agent = await openConnections(service.url)
  const target = { url: service.url, agent }
  try {
    const alone: Client = { name: 'alone', bearer: service.bearer, perSecond: 2 * (PLACES / 0.5) }
    const capacity = (await putLoad(target, ORDER, [alone], STEP_SECONDS)).goodput
    const share = capacity / (MODEST_ORGS + 1)
    const clients = await Promise.all(
      Array.from({ length: MODEST_ORGS + 1 }, async (_, at): Promise<Client> => {
        const name = at === 0 ? 'greedy' : `org ${at}`
        const perSecond = at === 0 ? TIMES * capacity : share * MODEST_SHARE
        return { name, bearer: await service.bearerOf(name), perSecond }
      }),
    )
    const { attempts } = await putLoad(target, ORDER, clients, SECONDS)
    const bars = clients.map(({ name }): OrgBar => {
      const own = attempts.filter(({ client }) => client === name)
      return {
        name,
        asked: own.length / SECONDS,
        served: own.filter(({ complete }) => complete).length / SECONDS,
      }
    })
    for (const { name, asked, served } of bars)
      report(`fairness, ${name}: ${served.toFixed(1)}/s of ${asked.toFixed(1)}/s`)
    const modest = bars.slice(1)
    const served = modest.map((bar) => bar.served / bar.asked)
    const all = bars.reduce((sum, bar) => sum + bar.served, 0)
    const got = row('a modest org beside a greedy one: served / asked, the median', '1/s', 1, median(served))
    const least = row('the same, the modest org that got least', '1/s', 1, Math.min(...served))
    const used = row('all orgs together / the greedy org alone', '1/s', capacity, all)
    return {
      bars,
      rows: [
        { ...got, target: '≥ 0.95 ×', met: got.ratio >= 0.95 },
        { ...least, target: '≥ 0.9 ×', met: least.ratio >= 0.9 },
        { ...used, target: '≥ 0.9 ×', met: used.ratio >= 0.9 },
      ],
    }
  } finally {
    agent.destroy()
    await service.stop()
  }
}
