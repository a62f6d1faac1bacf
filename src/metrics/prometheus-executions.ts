import { Counter } from 'prom-client'
import type { Outcome } from '../execution/outcome.js'
import { countedAs, isJudged } from '../protocol/execution-results.js'
import { EXECUTION_MODES } from '../protocol/modes.js'
import { childCache } from './child-cache.js'
import type { MetricsRegistry } from './exposition.js'
import { DURATION_BUCKETS, type Exemplar, FIRST_CONTENT_BUCKETS, timesByMode } from './times-by-mode.js'

/** ms; the same bounds as in seconds */
const LATENCY_BUCKETS_MS = DURATION_BUCKETS.map((seconds) => seconds * 1000)

/**
 * Executions, by result and code, and once more under the names of the operators' runbook, which know success and error alone:
 * those count as the metrics API does.
 */
export function outcomeRecorder(
  registry: MetricsRegistry,
  exemplar: () => Exemplar | undefined,
): (outcome: Outcome) => void {
  const executions = new Counter({
    name: 'chat_executions_total',
    help: 'Executions by their outcome; a failed-over turn has two',
    labelNames: ['mode', 'result', 'code'],
    registers: [registry],
  })
  const duration = timesByMode(
    registry,
    {
      name: 'chat_execution_duration_seconds',
      help: 'Duration of executions; aborted, abandoned and rejected ones left out',
      buckets: DURATION_BUCKETS,
    },
    exemplar,
  )
  const firstContent = timesByMode(
    registry,
    {
      name: 'chat_first_content_seconds',
      help: 'Time from the start of an execution to its commit point; aborted, abandoned and rejected ones left out',
      buckets: FIRST_CONTENT_BUCKETS,
    },
    exemplar,
  )
  const judged = judgedCounters(registry)
  const latency = timesByMode(
    registry,
    {
      name: 'chat_execution_latency_ms',
      help: 'Duration of executions in ms; aborted, abandoned and rejected ones left out',
      buckets: LATENCY_BUCKETS_MS,
    },
    exemplar,
  )
  const executionsOf = childCache((mode, result, code) => executions.labels(mode, result, code))
  // Known from the first scrape on, so that a rate over them is 0 and not missing.
  for (const mode of EXECUTION_MODES) executionsOf(mode, 'ok', '').inc(0)

  return (outcome) => {
    const { mode, result, latencyMs, firstContentMs } = outcome
    executionsOf(mode, countedAs(outcome), 'code' in outcome ? outcome.code : '').inc()
    if (!isJudged(result)) return
    judged.total.labels(mode).inc()
    judged[result === 'ok' ? 'success' : 'error'].labels(mode).inc()
    duration(mode, latencyMs / 1000)
    latency(mode, latencyMs)
    if (firstContentMs !== undefined) firstContent(mode, firstContentMs / 1000)
  }
}

type JudgedCounters = Readonly<Record<'total' | 'success' | 'error', Counter<'mode'>>>

function judgedCounters(registry: MetricsRegistry): JudgedCounters {
  const counter = (name: string, help: string): Counter<'mode'> => {
    const made = new Counter({ name, help, labelNames: ['mode'], registers: [registry] })
    for (const mode of EXECUTION_MODES) made.labels(mode).inc(0)
    return made
  }
  return {
    total: counter(
      'chat_execution_total',
      'Executions that ended well or failed: success and error together',
    ),
    success: counter('chat_execution_success_total', 'Executions that ended well'),
    error: counter('chat_execution_error_total', 'Executions that failed or timed out'),
  }
}
