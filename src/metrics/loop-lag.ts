import {
  createHistogram,
  type Histogram,
  monitorEventLoopDelay,
  type RecordableHistogram,
} from 'node:perf_hooks'
import { collectDefaultMetrics, Gauge } from 'prom-client'
import { type Beat, type Pulse, RESTING_BEAT_MS } from '../core/pulse/pulse.js'
import type { MetricsRegistry } from './exposition.js'

/** ms between two measurements, as in prom-client's own metrics; each value is these and by how much it was late */
const RESOLUTION_MS = 10
const NS_PER_MS = 1e6
const NS_PER_S = 1e9
/** measurements carried over when the process begins to rest; of more than these, their shares */
const MOST_CARRIED = 10_000
/** longer than any process lives: prom-client's own histogram measures nothing */
const NEVER_MS = 2 ** 31 - 1

/** As Node gives it for the delay of the event loop. */
export type DelayHistogram = Histogram & { enable(): boolean; disable(): boolean }

/** What the event loop's delay was since it was last asked: `nodejs_eventloop_lag_*`. */
export interface LoopLag {
  start(): void
  stop(): void
  /** Ends the period that it is about. Values in ns; without any: as an empty histogram of Node has them. */
  take<Summary>(summarize: (lag: Histogram) => Summary): Summary
}

/**
 * By Node's own measurement each 10 ms, which wakes the process each time. While that rests, by the beats of the pulse: each
 * stands for the measurements that were due since the one before.
 */
export function watchLoopLag(
  pulse: Pulse,
  measure: () => DelayHistogram = () => monitorEventLoopDelay({ resolution: RESOLUTION_MS }),
): LoopLag {
  const measured = measure()
  let isMeasuring = false
  /** all but what is being measured */
  const seen = createHistogram()
  let forget: (() => void) | undefined
  const begin = (): void => {
    if (isMeasuring) return
    isMeasuring = true
    // What went by while it was off would be measured as one long delay.
    measured.reset()
    measured.enable()
  }
  const end = (): void => {
    if (!isMeasuring) return
    isMeasuring = false
    measured.disable()
    carry(measured, seen)
  }
  const beat = ({ lateMs, everyMs }: Beat): void => {
    if (!pulse.isAwake) end()
    if (everyMs < RESTING_BEAT_MS) return
    record(seen, RESOLUTION_MS * NS_PER_MS, everyMs / RESOLUTION_MS - 1)
    record(seen, (RESOLUTION_MS + lateMs) * NS_PER_MS, 1)
  }
  return {
    start() {
      forget ??= pulse.listen({ beat, onWake: begin })
      if (pulse.isAwake) begin()
    },
    stop() {
      forget?.()
      forget = undefined
      end()
    },
    take(summarize) {
      const isMeasuredAlone = isMeasuring && seen.count === 0
      if (isMeasuring && !isMeasuredAlone) carry(measured, seen)
      const summary = summarize(isMeasuredAlone ? measured : seen)
      measured.reset()
      seen.reset()
      return summary
    },
  }
}

function record(into: RecordableHistogram, ns: number, times: number): void {
  const value = Math.max(1, Math.round(ns))
  for (let time = 0; time < times; time += 1) into.record(value)
}

/** One cannot be added to the other: each value as often as the percentiles say, the greatest as it was. */
function carry(from: DelayHistogram, into: RecordableHistogram): void {
  const { count } = from
  const most = Math.min(count, MOST_CARRIED)
  let carried = 0
  for (const [percentile, ns] of from.percentiles) {
    const upTo = Math.round((percentile / 100) * most)
    record(into, Math.min(ns, from.max), upTo - carried)
    carried = upTo
  }
}

const VALUES = {
  min: ['The minimum recorded event loop delay.', (lag) => lag.min],
  max: ['The maximum recorded event loop delay.', (lag) => lag.max],
  mean: ['The mean of the recorded event loop delays.', (lag) => lag.mean],
  stddev: ['The standard deviation of the recorded event loop delays.', (lag) => lag.stddev],
  p50: ['The 50th percentile of the recorded event loop delays.', (lag) => lag.percentile(50)],
  p90: ['The 90th percentile of the recorded event loop delays.', (lag) => lag.percentile(90)],
  p99: ['The 99th percentile of the recorded event loop delays.', (lag) => lag.percentile(99)],
} as const satisfies Record<string, readonly [string, (lag: Histogram) => number]>

/** Node's metrics by prom-client; with `lag` those of the event loop's delay are measured by it, under the same names. */
export function registerProcess(registry: MetricsRegistry, lag: LoopLag | undefined): void {
  if (lag === undefined) {
    collectDefaultMetrics({ register: registry })
    return
  }
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NEVER_MS })
  const setAll: ((of: Histogram) => void)[] = []
  // The first of them: whoever reads the others finds them set.
  replaced(registry, 'nodejs_eventloop_lag_seconds', 'Lag of event loop in seconds.', (gauge) => {
    const since = performance.now()
    setImmediate(() => gauge.set((performance.now() - since) / 1000))
    lag.take((of) => {
      for (const set of setAll) set(of)
    })
  })
  for (const [name, [help, read]] of Object.entries(VALUES)) {
    const gauge = replaced(registry, `nodejs_eventloop_lag_${name}_seconds`, help)
    setAll.push((of) => gauge.set(read(of) / NS_PER_S))
  }
}

function replaced(
  registry: MetricsRegistry,
  name: string,
  help: string,
  collect?: (gauge: Gauge) => void,
): Gauge {
  registry.removeSingleMetric(name)
  return new Gauge({
    name,
    help,
    registers: [registry],
    ...(collect === undefined
      ? {}
      : {
          collect() {
            collect(this)
          },
        }),
  })
}
