import type { ComponentChildren } from 'preact'
import type { WindowMetrics } from '../../protocol/fallback.js'
import type { Sample } from '../api/live.js'
import { Chart } from '../parts/chart.js'
import type { Level, Line, Mark } from '../parts/plot.js'
import { count, duration, share } from '../text/format.js'
import { t } from '../text/language.js'
import { OVERVIEW } from '../text/overview.js'
import { MODES } from '../text/parts.js'

interface Props {
  readonly samples: readonly Sample[]
  /** what happened meanwhile */
  readonly marks: readonly Mark[]
  /** length of the windows */
  readonly windowSeconds: number
  readonly guardrails: Readonly<Record<string, unknown>> | null | undefined
  readonly children?: ComponentChildren
}

/** Both backends side by side, with the thresholds and what happened. */
export function Charts({ samples, marks, windowSeconds, guardrails, children }: Props) {
  const times = samples.map(({ at }) => at)
  const both = (read: (window: WindowMetrics) => number): readonly Line[] => [
    {
      name: t(MODES.direct_llm),
      color: '--direct',
      values: samples.map(({ direct }) => measured(direct, read)),
    },
    {
      name: t(MODES.runtime_orchestrator),
      color: '--runtime',
      values: samples.map(({ runtime }) => measured(runtime, read)),
    },
  ]
  const level = (value: unknown): readonly Level[] =>
    typeof value === 'number' ? [{ name: t(OVERVIEW.threshold), value }] : []
  const { latencyShare, totalMs } = guardrails ?? {}
  const latencyLevel: readonly Level[] =
    typeof latencyShare === 'number' && typeof totalMs === 'number'
      ? [{ name: t(OVERVIEW.meanThreshold), value: latencyShare * totalMs, far: true }]
      : []
  const p50 = both(({ p50LatencyMs }) => p50LatencyMs)
  const p95 = both(({ p95LatencyMs }) => p95LatencyMs)
  return (
    <section aria-label={t(OVERVIEW.latency)}>
      <div class="charts">
        <Chart
          title={t(OVERVIEW.rate)}
          times={times}
          lines={both(({ total }) => (total * 60) / windowSeconds)}
          marks={marks}
          format={(value) => count(Math.round(value * 10) / 10)}
        />
        <Chart
          title={t(OVERVIEW.errorRate)}
          times={times}
          lines={both(({ errorRate }) => errorRate)}
          levels={level(guardrails?.errorRate)}
          marks={marks}
          format={share}
          top={0.1}
        />
        <Chart
          title={t(OVERVIEW.timeoutRate)}
          times={times}
          lines={both(({ timeoutRate }) => timeoutRate)}
          levels={level(guardrails?.timeoutRate)}
          marks={marks}
          format={share}
          top={0.1}
        />
        <Chart
          title={t(OVERVIEW.latency)}
          times={times}
          lines={[
            ...p50.map((line) => ({ ...line, name: `${line.name} p50` })),
            ...p95.map((line) => ({ ...line, name: `${line.name} p95`, dashed: true })),
          ]}
          levels={latencyLevel}
          marks={marks}
          format={duration}
        />
        <Chart
          title={t(OVERVIEW.firstContent)}
          times={times}
          lines={both(({ p95FirstContentMs }) => p95FirstContentMs)}
          levels={level(guardrails?.firstContentP95Ms)}
          marks={marks}
          format={duration}
        />
      </div>
      <p class="quiet">{t(OVERVIEW.window, { window: duration(windowSeconds * 1000) })}</p>
      {children}
    </section>
  )
}

/** A window without executions has no rate, and no rate is not a rate of 0. */
const measured = (window: WindowMetrics, read: (window: WindowMetrics) => number): number | null =>
  window.total === 0 ? null : read(window)
