// npm run console:memory: keeps the console open before the demo's traffic and prints what its tab holds, after a collection, once a
// minute. Then a line through the figures of each half (least squares): what the heap grows by in a minute, and how far the
// figures lie from that line. The page holds more until its bound of half an hour is reached, so only the second half of an hour
// can be flat. --minutes N (default 5), --view NAME (an address below /console, default the overview).
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openDemo } from './lib/demo-page.mjs'
import { build, install, say } from './lib/prepare.mjs'

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, view: { type: 'string', default: '' } },
})

install()
build()
say('starting the demo ...')
const { page, close } = await openDemo({ viewport: { width: 1280, height: 900 } })
try {
  if (values.view !== '') await page.click(`nav a[href="/console/${values.view}"]`)
  const protocol = await page.context().newCDPSession(page)
  await protocol.send('HeapProfiler.enable')
  await protocol.send('Performance.enable')
  const heap = []
  process.stdout.write('minute  heap KiB  DOM nodes  listeners\n')
  for (let minute = 0; minute <= Number(values.minutes); minute++) {
    if (minute > 0) await pause(60_000)
    await protocol.send('HeapProfiler.collectGarbage')
    const { metrics } = await protocol.send('Performance.getMetrics')
    const of = (name) => metrics.find((one) => one.name === name)?.value ?? 0
    const figures = [Math.round(of('JSHeapUsedSize') / 1024), of('Nodes'), of('JSEventListeners')]
    heap.push({ minute, kib: figures[0] })
    process.stdout.write(
      `${String(minute).padStart(6)}${figures.map((figure) => String(figure).padStart(10)).join('')}\n`,
    )
  }
  const middle = Number(values.minutes) / 2
  for (const [part, points] of [
    ['first half', heap.filter(({ minute }) => minute <= middle)],
    ['second half', heap.filter(({ minute }) => minute >= middle)],
  ]) {
    const { slope, spread } = line(points)
    process.stdout.write(
      `${part}: ${slope.toFixed(2)} KiB a minute, ${spread.toFixed(1)} KiB from the line on average\n`,
    )
  }
} finally {
  await close()
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
