// Loaded before the service (`--import`): on SIGUSR2 it collects garbage and prints one line about what the process holds.
// It answers in the order it was asked.
import { queryObjects, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')
const Timeout = setTimeout(() => undefined, 0).constructor
/** To count timers walks the whole heap: once in so many samples. */
const TIMERS_EVERY = 10
let samples = 0

process.on('SIGUSR2', () => {
  collectGarbage()
  const { heapUsed, rss, external } = process.memoryUsage()
  // Also those that keep no process alive, which getActiveResourcesInfo leaves out.
  const timers = samples % TIMERS_EVERY === 0 ? queryObjects(Timeout, { format: 'count' }) : undefined
  samples += 1
  const handles = {}
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1
  process.stdout.write(
    `${JSON.stringify({ msg: 'soak sample', heapUsed, rss, external, timers, handles })}\n`,
  )
})
