import { TURN_FLAG_KEYS } from '../../src/decision/flags.js'
import { createServiceMetrics } from '../../src/metrics/prometheus.js'
import { TURN_OUTCOMES } from '../../src/metrics/prometheus-turns.js'
import { EXECUTION_ERROR_CODES } from '../../src/protocol/execution-codes.js'
import { EXECUTION_MODES } from '../../src/protocol/modes.js'
import { countsOf, newTally } from '../../src/shadow/report/shadow-counts.js'
import { sampleOutcome } from '../metrics/sample-outcome.js'
import { QUIET } from './fallback-fakes.js'
import { NO_SNAPSHOT } from './rollout-fakes.js'

/** What the service exports, once everything that is counted has been counted. */

/** Values by label, by the name of the metric. */
export type Exported = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>

export async function exportedMetrics(): Promise<Exported> {
  const metrics = createServiceMetrics({
    replica: 'replica-1',
    processMetrics: true,
    flagsStatus: () => ({ resolver: 'file', state: 'ready', faults: [] }),
    codeDefaults: () => new Map(TURN_FLAG_KEYS.map((key) => [key, 0])),
    fallback: () => QUIET,
    rollout: () => NO_SNAPSHOT,
    shadows: () => countsOf(newTally(), 0),
    storeAvailable: () => true,
    overloadLevel: () => 0,
    redisUp: () => true,
    llm: () => ({
      requests: ['ok', 'aborted', ...EXECUTION_ERROR_CODES].map((cause) => ['default', cause, 0]),
      endpoints: [{ endpoint: 'default', requests: 0, resting: false }],
      waiting: 0,
      refused: 0,
    }),
    counts: () => ({
      chat_window_orgs_dropped_total: 0,
      chat_turns_lost_total: 0,
      chat_local_faults_total: 0,
      chat_redis_failures_total: 0,
      chat_runtime_files_dropped_total: 0,
      chat_journal_dropped_total: 0,
      chat_notifications_dropped_total: 0,
      chat_recovery_shadows_total: 0,
      chat_recovery_shadows_dropped_total: 0,
    }),
  })
  for (const mode of EXECUTION_MODES)
    for (const result of ['ok', 'error', 'timeout', 'aborted', 'rejected'] as const)
      metrics.recordOutcome(sampleOutcome({ mode, result, firstContentMs: 1 }))
  metrics.recordOutcome({ ...sampleOutcome({ result: 'aborted' }), abandoned: 'connect' })
  metrics.recordDecision({ mode: 'direct_llm', reason: 'default', shadow: false })
  metrics.recordFailover({
    from: 'runtime_orchestrator',
    cause: 'runtime_http_error',
    phase: 'headers',
    afterMs: 1,
  })
  for (const outcome of TURN_OUTCOMES)
    metrics.recordTurn({ mode: 'direct_llm', outcome, latencyMs: 1, firstContentMs: 1 })
  metrics.recordRequest('POST /api/v1/chat/start', 503)
  const { body } = await metrics.exposition()
  const exported = new Map<string, Map<string, Set<string>>>()
  // Some have no series before something happened: the garbage collection.
  for (const [, name = '', type] of body.matchAll(/^# TYPE (\w+) (\w+)$/gm))
    for (const ending of type === 'histogram' ? ['', '_bucket', '_sum', '_count'] : [''])
      exported.set(name + ending, new Map())
  for (const [, name = '', labels = ''] of body.matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    const values = exported.get(name) ?? new Map<string, Set<string>>()
    exported.set(name, values)
    for (const [, label = '', value = ''] of labels.matchAll(/(\w+)="([^"]*)"/g))
      values.set(label, (values.get(label) ?? new Set()).add(value))
  }
  // Of a histogram people name the whole.
  for (const [name, values] of [...exported])
    if (name.endsWith('_bucket')) exported.set(name.replace(/_bucket$/, ''), values)
  return exported
}

/** `{mode="direct_llm", result=~"a|b"}` or `{mode,result}`: labels there are, with values there are. */
export function labelFaults(labels: string, known: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return [...labels.matchAll(/(\w+)\s*(?:(?:=~?|!~|!=)\s*"([^"]*)")?/g)].flatMap(([, label = '', value]) => {
    const values = known.get(label)
    if (values === undefined) return [`no label ${label}`]
    const wanted = value === undefined ? [] : value.split('|')
    return wanted.filter((one) => !values.has(one)).map((one) => `no ${label} is ${one}`)
  })
}
