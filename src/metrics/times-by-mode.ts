import { Histogram } from 'prom-client'
import { EXECUTION_MODES, type ExecutionMode } from '../protocol/modes.js'
import type { MetricsRegistry } from './exposition.js'

/** s; from a cached short answer to an agent that works for minutes */
export const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300]
/** s; what a person waits for */
export const FIRST_CONTENT_BUCKETS = [0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 20, 30, 60]

/** The trace by which one measurement can be looked at; its keys are labels. */
export type Exemplar = Readonly<{ trace_id: string; span_id: string }>

interface HistogramOptions {
  readonly name: string
  readonly help: string
  readonly buckets: readonly number[]
}

/**
 * One histogram with a series for each mode, also before there is anything in it.
 * @param exemplar the sampled trace in which something is measured now
 */
export function timesByMode(
  registry: MetricsRegistry,
  { name, help, buckets }: HistogramOptions,
  exemplar: () => Exemplar | undefined,
): (mode: ExecutionMode, value: number) => void {
  // The labels of an exemplar are typed as those of the metric.
  const histogram = new Histogram<'mode' | keyof Exemplar>({
    name,
    help,
    labelNames: ['mode'],
    buckets: [...buckets],
    registers: [registry],
    enableExemplars: true,
  })
  for (const mode of EXECUTION_MODES) histogram.zero({ mode })
  return (mode, value) => {
    const trace = exemplar()
    histogram.observe({ labels: { mode }, value, ...(trace === undefined ? {} : { exemplarLabels: trace }) })
  }
}
