import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { markdownTable, writeBetween } from '../test/support/measured-tables.js'
import { LoadConnections } from './load-connections.js'
import { startOurs } from './ours.js'
import { type Client, type Load, putLoad } from './overload-load.js'
import { type OrgBar, overloadPlot, type ServedPoint } from './overload-plot.js'
import { median, type Row, row } from './statistics.js'
import type { OverloadPart } from './usage.js'

/**
 * More turns than can be served: by places (a service that is told how many streams it may open) and by the event loop (one that has
 * to find out). For each, the peak is looked for first: the rate is raised until no more turns are served. Then one org that asks for all
 * of it beside nine modest ones.
 */

/** a turn of about half a second */
const ORDER = { events: 10, everyMs: 45, firstAfterMs: 45 }
const STEP_SECONDS = 4
const SECONDS = 12
/** at the peak and beyond it by turns: one step's goodput is too much a matter of luck to compare with */
const ROUNDS = 3
const TIMES = 3
const PLACES = 40
/** turns a second of the first step */
const FIRST = { places: 40, loop: 150 } as const
/** from a step to the next one, and how many there are at most */
const RAISE = 1.25
const MOST_STEPS = 16
/** steps in a row that serve no more than so much over the best before them: the peak is found */
const GROWTH = 1.02
const STEPS_WITHOUT = 2
/** kept by the load: more than it ever has under way */
const CONNECTIONS = 4000
/** ms after a load: at least, at most, and between two looks whether the level is 0 again */
const REST = { leastMs: 1_000, mostMs: 20_000, lookMs: 500 } as const
const MODEST_ORGS = 9
/** of its share that a modest org asks for */
const MODEST_SHARE = 0.9

/** @param only this part, and no table */
export async function benchOverload(
  upstream: string,
  report: (text: string) => void,
  write: boolean,
  only?: OverloadPart,
): Promise<Row[]> {
  const parts = {
    places: () => overloadOf('places', upstream, { CHAT_MAX_STREAMS: String(PLACES) }, FIRST.places, report),
    loop: () => overloadOf('event loop', upstream, { CHAT_MAX_STREAMS: '20000' }, FIRST.loop, report),
    fairness: () => fairness(upstream, report),
  } satisfies Record<OverloadPart, unknown>
  if (only !== undefined) return (await parts[only]()).rows
  const places = await parts.places()
  const loop = await parts.loop()
  const fair = await parts.fairness()
  const rows = [...places.rows, ...loop.rows, ...fair.rows]
  const plot = overloadPlot(loop.curve, fair.bars)
  mkdirSync('bench/results', { recursive: true })
  writeFileSync('bench/results/overload.svg', plot)
  const text = overloadText(rows)
  writeFileSync('bench/results/overload.md', text)
  report('the table and the plot are bench/results/overload.md and overload.svg')
  if (write) {
    writeBetween('docs/limits.md', '<!-- overload -->', '<!-- end of overload -->', text)
    writeFileSync('docs/images/overload.svg', plot)
    report('both are written into docs/limits.md')
  }
  return rows
}

async function overloadOf(
  what: string,
  upstream: string,
  env: Record<string, string>,
  first: number,
  report: (text: string) => void,
): Promise<{ readonly rows: Row[]; readonly curve: readonly ServedPoint[] }> {
  const service = await startOurs(upstream, env)
  const connections = new LoadConnections(service.url, CONNECTIONS)
  const load = async (perSecond: number, seconds: number): Promise<Load> => {
    const client: Client = { name: 'bench', bearer: service.bearer, perSecond }
    const before = { ours: await service.usage(), own: process.cpuUsage(), all: busyMs() }
    const begunAt = performance.now()
    const put = await putLoad(service.url, connections, ORDER, [client], seconds)
    const own = process.cpuUsage(before.own)
    const cores = (ms: number): number => ms / (performance.now() - begunAt)
    const ours = cores(((await service.usage()).cpuMicros - before.ours.cpuMicros) / 1000)
    const generator = cores((own.user + own.system) / 1000)
    const cpu = { service: ours, load: generator, others: cores(busyMs() - before.all) - ours - generator }
    report(`overload by ${what}, ${perSecond.toFixed(0)}/s: ${textOf(put, cpu)}`)
    await rest(service.url)
    return put
  }
  try {
    await load(first, STEP_SECONDS) // warm-up
    const { peak, curve } = await findPeak(first, (perSecond) => load(perSecond, STEP_SECONDS))
    const atPeak: Load[] = []
    const beyond: Load[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      // Both last equally long, so that the p99 are of as much.
      atPeak.push(await load(peak, SECONDS))
      beyond.push(await load(TIMES * peak, SECONDS))
    }
    const goodput = (loads: readonly Load[]): number => median(loads.map((one) => one.goodput))
    const p99 = (loads: readonly Load[]): number => median(loads.map((one) => one.p99))
    const broken = beyond.reduce((sum, one) => sum + one.broken, 0)
    const served = row(
      `complete turns at ${TIMES} × the peak / at the peak (by ${what})`,
      '1/s',
      goodput(atPeak),
      goodput(beyond),
    )
    return {
      curve: [...curve, { asked: TIMES * peak, served: goodput(beyond) }],
      rows: [
        { ...served, target: '≥ 0.9 ×', met: served.ratio >= 0.9 },
        row(
          `p99 of admitted turns at ${TIMES} × the peak / at the peak (by ${what})`,
          'ms',
          p99(atPeak),
          p99(beyond),
          1.5,
        ),
        {
          ...row(`turns that broke at ${TIMES} × the peak (by ${what})`, '', 1, broken),
          target: '= 0',
          met: broken === 0,
        },
      ],
    }
  } finally {
    connections.close()
    await service.stop()
  }
}

/** As in docs/limits.md. */
function overloadText(rows: readonly Row[]): string {
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}`
  const head = ['what', 'compared with', 'measured', 'ratio', 'target', '']
  const cells = rows.map(({ what, unit, floor, ours, ratio, target, met }) => [
    what,
    // Shares and counts are compared with nothing that was measured.
    unit === '' ? '' : `${floor.toFixed(1)} ${unit}`,
    `${ours.toFixed(unit === '' ? 2 : 1)} ${unit}`.trimEnd(),
    unit === '' ? '' : ratio.toFixed(2),
    target,
    target === '' ? '' : met ? 'met' : 'missed',
  ])
  return [
    `Measured ${new Date().toISOString().slice(0, 10)}, ${machine}, which the load and the stand-in LLM shared, Node ${process.version}. A turn takes 500 ms by itself. The peak is the rate at which most was served while the rate was raised by a quarter every ${STEP_SECONDS} s. Then the service was asked for that rate and for ${TIMES} times as much by turns, ${ROUNDS} times for ${SECONDS} s each; the table has the medians.`,
    markdownTable(head, cells),
  ].join('\n\n')
}

/** ms that the cores of the machine were busy since its start: shows what else ran while it was measured */
const busyMs = (): number =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)

/** Raises the rate until no more turns are served, or `MOST_STEPS` times. */
async function findPeak(
  first: number,
  load: (perSecond: number) => Promise<Load>,
): Promise<{ readonly peak: number; readonly curve: readonly ServedPoint[] }> {
  const curve: ServedPoint[] = []
  let peak = 0
  let without = 0
  for (let step = 0; step < MOST_STEPS && without < STEPS_WITHOUT; step += 1) {
    const asked = first * RAISE ** step
    const { goodput: served } = await load(asked)
    curve.push({ asked, served })
    without = served > peak * GROWTH ? 0 : without + 1
    peak = Math.max(peak, served)
  }
  return { peak, curve }
}

function textOf(
  { goodput, p50, p99, refused, broken, own }: Load,
  cpu: { readonly service: number; readonly load: number; readonly others: number },
): string {
  return [
    `${goodput.toFixed(1)}/s complete, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    `${refused} refused, ${broken} broken`,
    `cores: service ${cpu.service.toFixed(2)}, load ${cpu.load.toFixed(2)}, all else (also the stand-in LLM) ${cpu.others.toFixed(2)}`,
    `the load's own delays: schedule p99 ${own.scheduleP99.toFixed(0)} ms, connection ${own.connectionMost.toFixed(0)} ms at most, loop p99 ${own.loopP99.toFixed(0)} ms`,
  ].join('; ')
}

/** Until the service is calm again, so that no load begins with the limits that the one before it left. */
async function rest(url: string): Promise<void> {
  const endAt = performance.now() + REST.mostMs
  await pause(REST.leastMs)
  while (performance.now() < endAt) {
    const exposition = await (await fetch(`${url}/metrics`)).text()
    if (/^chat_overload_level 0$/m.test(exposition)) return
    await pause(REST.lookMs)
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** One org asks for three times all places, nine for nine tenths of their share each. */
async function fairness(
  upstream: string,
  report: (text: string) => void,
): Promise<{ readonly rows: Row[]; readonly bars: readonly OrgBar[] }> {
  const service = await startOurs(upstream, { CHAT_MAX_STREAMS: String(PLACES) })
  const connections = new LoadConnections(service.url, CONNECTIONS)
  try {
    const alone: Client = { name: 'alone', bearer: service.bearer, perSecond: 2 * (PLACES / 0.5) }
    const capacity = (await putLoad(service.url, connections, ORDER, [alone], STEP_SECONDS)).goodput
    const share = capacity / (MODEST_ORGS + 1)
    const clients = await Promise.all(
      Array.from({ length: MODEST_ORGS + 1 }, async (_, at): Promise<Client> => {
        const name = at === 0 ? 'greedy' : `org ${at}`
        const perSecond = at === 0 ? TIMES * capacity : share * MODEST_SHARE
        return { name, bearer: await service.bearerOf(name), perSecond }
      }),
    )
    const { attempts } = await putLoad(service.url, connections, ORDER, clients, SECONDS)
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
    const got = row('a modest org beside a greedy one: served / asked, the median', '', 1, median(served))
    const least = row('the same, the modest org that got least', '', 1, Math.min(...served))
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
    connections.close()
    await service.stop()
  }
}
