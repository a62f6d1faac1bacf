// npm run console:memory: keeps the console open before the demo's traffic and prints what its tab holds, after a collection, once a
// minute. --minutes N (default 5), --view NAME (an address below /console, default the overview).
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
  process.stdout.write('minute  heap KiB  DOM nodes  listeners\n')
  for (let minute = 0; minute <= Number(values.minutes); minute++) {
    if (minute > 0) await pause(60_000)
    await protocol.send('HeapProfiler.collectGarbage')
    const { metrics } = await protocol.send('Performance.getMetrics')
    const of = (name) => metrics.find((one) => one.name === name)?.value ?? 0
    const figures = [Math.round(of('JSHeapUsedSize') / 1024), of('Nodes'), of('JSEventListeners')]
    process.stdout.write(
      `${String(minute).padStart(6)}${figures.map((figure) => String(figure).padStart(10)).join('')}\n`,
    )
  }
} finally {
  await close()
}
