// npm run console:memory: what the tab of an open console holds; `--help` says how it is measured.
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openDemo } from './lib/demo-page.mjs'
import { speedUp } from './lib/fast-events.mjs'
import { grown, heapCensus } from './lib/heap-census.mjs'
import { build, install, say } from './lib/prepare.mjs'

const HELP = `console-memory: keeps the console open before the demo's traffic and prints what its tab holds, once a minute.

Usage: npm run console:memory -- [options]

Each figure is the lowest of five looks, each after a collection: what is under way at a look (an answer of the service, a frame) is not held.
Then comes a line through the figures of each half (least squares): what the heap grows by in a minute, and how far the figures lie from
that line. The page holds more until its bound of half an hour of figures is reached.

Options:
  --minutes N   how long it measures (default 5)
  --view NAME   an address below /console, such as fallback (default: the overview)
  --speed N     metrics events for each one of the service (default 1); a proxy between browser and service makes them
  --warm-up N   minutes at that speed before the first figure, and then at the speed of the service (default 0: all of it at that speed)
  --census      what grew between the middle and the end, by constructor
  -h, --help    this text

Needs Chromium (CHROMIUM_BIN, or where Debian has it).
Exit code: 0 measured, 1 failed, 2 wrong usage.
`
const LOOKS = 5
/** ms */
const BETWEEN_LOOKS = 700
const MINUTE = 60_000

const OPTIONS = {
  minutes: { type: 'string', default: '5' },
  view: { type: 'string', default: '' },
  speed: { type: 'string', default: '1' },
  'warm-up': { type: 'string', default: '0' },
  census: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
}
const values = readOptions()
const [minutes, warmUp] = [Number(values.minutes), Number(values['warm-up'])]
let speed = Number(values.speed)
if (!(minutes > 0 && warmUp >= 0 && speed >= 1))
  refuse('--minutes must be above 0, --warm-up at least 0, --speed at least 1')

install()
build()
say('starting the demo ...')
const { page, close } = await openDemo(
  { viewport: { width: 1280, height: 900 } },
  ...(speed > 1 ? [(url) => speedUp(url, () => speed)] : []),
)
try {
  if (values.view !== '') await page.click(`nav a[href="/console/${values.view}"]`)
  const protocol = await page.context().newCDPSession(page)
  await protocol.send('HeapProfiler.enable')
  await protocol.send('Performance.enable')
  if (warmUp > 0) {
    say(`${warmUp} minutes with ${speed} times the events ...`)
    await pause(warmUp * MINUTE)
    speed = 1
  }
  const heap = []
  const middle = minutes / 2
  let atMiddle
  process.stdout.write('minute  heap KiB  DOM nodes  listeners\n')
  const begun = performance.now()
  for (let minute = 0; minute <= minutes; minute++) {
    await pause(Math.max(0, begun + minute * MINUTE - performance.now()))
    const { kib, nodes, listeners } = await look(protocol)
    heap.push({ minute, kib })
    process.stdout.write(
      `${String(minute).padStart(6)}${[kib, nodes, listeners].map((figure) => String(figure).padStart(10)).join('')}\n`,
    )
    if (values.census && atMiddle === undefined && minute >= middle) atMiddle = await heapCensus(protocol)
  }
  for (const [part, points] of [
    ['first half', heap.filter(({ minute }) => minute <= middle)],
    ['second half', heap.filter(({ minute }) => minute >= middle)],
  ]) {
    const { slope, spread } = line(points)
    process.stdout.write(
      `${part}: ${slope.toFixed(2)} KiB a minute, ${spread.toFixed(1)} KiB from the line on average\n`,
    )
  }
  if (atMiddle !== undefined) {
    process.stdout.write('what grew between the middle and the end\n     bytes     count\n')
    for (const { key, count, bytes } of grown(atMiddle, await heapCensus(protocol)))
      process.stdout.write(`${String(bytes).padStart(10)}${String(count).padStart(10)}  ${key}\n`)
  }
} finally {
  await close()
}

/** The options; ends the process where there is nothing to measure. */
function readOptions() {
  let read
  try {
    read = parseArgs({ options: OPTIONS }).values
  } catch (error) {
    refuse(error.message)
  }
  if (!read.help) return read
  process.stdout.write(HELP)
  process.exit(0)
}

function refuse(what) {
  process.stderr.write(`${what}\nTry: npm run console:memory -- --help\n`)
  process.exit(2)
}

/** The lowest of some looks at the heap, and the counts of the last. */
async function look(protocol) {
  let kib = Number.POSITIVE_INFINITY
  let of = (_) => 0
  for (let round = 0; round < LOOKS; round++) {
    if (round > 0) await pause(BETWEEN_LOOKS)
    await protocol.send('HeapProfiler.collectGarbage')
    const { metrics } = await protocol.send('Performance.getMetrics')
    of = (name) => metrics.find((one) => one.name === name)?.value ?? 0
    kib = Math.min(kib, Math.round(of('JSHeapUsedSize') / 1024))
  }
  return { kib, nodes: of('Nodes'), listeners: of('JSEventListeners') }
}

/** The line of least squares through the points: KiB a minute, and the root mean square of what is left. */
function line(points) {
  const mean = (read) => points.reduce((sum, point) => sum + read(point), 0) / points.length
  const minute = mean((point) => point.minute)
  const kib = mean((point) => point.kib)
  const slope =
    mean((point) => (point.minute - minute) * (point.kib - kib)) /
    mean((point) => (point.minute - minute) ** 2)
  const left = mean((point) => (point.kib - kib - slope * (point.minute - minute)) ** 2)
  return { slope, spread: Math.sqrt(left) }
}
