import { type OpenMetricsContentType, Registry } from 'prom-client'

/** Where metrics are registered; exemplars are kept by this kind alone. */
export type MetricsRegistry = Registry<OpenMetricsContentType>

export function createRegistry(): MetricsRegistry {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  return registry
}

/** How the metrics are told: Prometheus' text format, or OpenMetrics with exemplars. */
export type MetricsFormat = 'prometheus' | 'openmetrics'

export async function expositionOf(
  registry: MetricsRegistry,
  format: MetricsFormat,
): Promise<{ readonly contentType: string; readonly body: string }> {
  const body = await registry.metrics()
  return format === 'openmetrics'
    ? { contentType: Registry.OPENMETRICS_CONTENT_TYPE, body }
    : { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body: textFormat(body) }
}

/** ` # {trace_id="…"} 1.5 1790000000.123` at the end of a sample */
const EXEMPLAR = / # \{trace_id="[0-9a-f]+",span_id="[0-9a-f]+"\} \S+ \S+$/
const HELP = /^# HELP (\S+) /
const COUNTER = /^# TYPE (\S+) counter$/

/** OpenMetrics as Prometheus' text format: counters keep `_total` in their name, there are no exemplars and no end mark. */
function textFormat(openMetrics: string): string {
  const lines = openMetrics.split('\n')
  const counters = new Set(lines.flatMap((line) => COUNTER.exec(line)?.[1] ?? []))
  const told = lines
    .filter((line) => line !== '# EOF')
    .map((line) => {
      if (!line.startsWith('#')) return line.replace(EXEMPLAR, '')
      const name = (HELP.exec(line) ?? COUNTER.exec(line))?.[1] ?? ''
      return counters.has(name) ? line.replace(name, `${name}_total`) : line
    })
  return told.join('\n')
}
