import { expect } from 'chai'
import type { FlagsStatus } from '../../src/decision/flags.js'
import type { Outcome } from '../../src/execution/outcome.js'
import type { Alert } from '../../src/fallback/fallback.js'
import { createServiceMetrics, type ServiceMetrics } from '../../src/metrics/prometheus.js'
import { scopeOf } from '../../src/protocol/fallback-scope.js'
import { type AutoLayer, NEUTRAL, type Override } from '../../src/store/override/override.js'
import { QUIET } from '../support/fallback-fakes.js'

const ok: Outcome = {
  mode: 'runtime_orchestrator',
  result: 'ok',
  orgId: 'org-secret',
  agentId: 'assistant',
  startedAt: 0,
  latencyMs: 1_500,
  firstContentMs: 300,
}
const failed: Outcome = {
  mode: 'runtime_orchestrator',
  result: 'timeout',
  code: 'first_content_timeout',
  phase: 'first_content',
  orgId: 'org-secret',
  agentId: 'assistant',
  startedAt: 0,
  latencyMs: 60_000,
}
const aborted: Outcome = {
  mode: 'direct_llm',
  result: 'aborted',
  code: 'client_gone',
  orgId: 'org-secret',
  agentId: 'assistant',
  startedAt: 0,
  latencyMs: 10,
  firstContentMs: 5,
}
const rejected: Outcome = {
  ...aborted,
  result: 'rejected',
  code: 'llm_bad_request',
  phase: 'headers',
}

/** Samples by their name and labels, the labels in alphabetical order. */
async function samples(metrics: ServiceMetrics): Promise<Map<string, number>> {
  const { body } = await metrics.exposition()
  const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [sampleName(line), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

function sampleName(line: string): string {
  const [, name = '', labels] = /^(\w+)(?:\{(.*)\})? /.exec(line) ?? []
  return labels === undefined ? name : `${name}{${labels.split(',').sort().join(',')}}`
}

describe('the service metrics', () => {
  const make = (flagsStatus?: () => FlagsStatus) =>
    createServiceMetrics({
      replica: 'host-1',
      processMetrics: false,
      ...(flagsStatus === undefined ? {} : { flagsStatus }),
    })

  it('know the series of a good execution before there is one', async () => {
    const found = await samples(make())
    expect(found.get('chat_executions_total{code="",mode="direct_llm",result="ok"}')).to.equal(0)
    expect(found.get('chat_executions_total{code="",mode="runtime_orchestrator",result="ok"}')).to.equal(0)
    expect(found.get('chat_open_streams')).to.equal(0)
    expect(found.get('chat_replica_info{replica="host-1"}')).to.equal(1)
  })

  it('count executions by mode, result and code, and time them in seconds', async () => {
    const metrics = make()
    metrics.recordOutcome(ok)
    metrics.recordOutcome(ok)
    metrics.recordOutcome(failed)
    const found = await samples(metrics)
    const mode = 'mode="runtime_orchestrator"'
    expect(found.get(`chat_executions_total{code="",${mode},result="ok"}`)).to.equal(2)
    expect(
      found.get(`chat_executions_total{code="first_content_timeout",${mode},result="timeout"}`),
    ).to.equal(1)
    expect(found.get(`chat_execution_duration_seconds_sum{${mode}}`)).to.equal(63)
    expect(found.get(`chat_execution_duration_seconds_bucket{le="1",${mode}}`)).to.equal(0)
    expect(found.get(`chat_execution_duration_seconds_bucket{le="2.5",${mode}}`)).to.equal(2)
    expect(found.get(`chat_execution_duration_seconds_bucket{le="300",${mode}}`)).to.equal(3)
    // the failed one committed nothing
    expect(found.get(`chat_first_content_seconds_count{${mode}}`)).to.equal(2)
    expect(found.get(`chat_first_content_seconds_bucket{le="0.5",${mode}}`)).to.equal(2)
  })

  it("tell the same under the names of the operators' runbook, where a timeout is an error too", async () => {
    const metrics = make()
    for (const outcome of [ok, ok, failed, aborted, rejected]) metrics.recordOutcome(outcome)
    const found = await samples(metrics)
    const of = (name: string, mode = 'runtime_orchestrator') => found.get(`${name}{mode="${mode}"}`)
    expect(of('chat_execution_total')).to.equal(3)
    expect(of('chat_execution_success_total')).to.equal(2)
    expect(of('chat_execution_error_total')).to.equal(1)
    expect(of('chat_execution_latency_ms_count')).to.equal(3)
    expect(of('chat_execution_latency_ms_sum')).to.equal(63_000)
    expect(found.get('chat_execution_latency_ms_bucket{le="2500",mode="runtime_orchestrator"}')).to.equal(2)
    // aborted and rejected ones are nobody's success and nobody's failure
    expect(of('chat_execution_total', 'direct_llm')).to.equal(0)
    expect(of('chat_execution_latency_ms_count', 'direct_llm')).to.equal(0)
  })

  it('tell the trace of a measurement in OpenMetrics alone', async () => {
    let trace: { trace_id: string; span_id: string } | undefined
    const metrics = createServiceMetrics({
      replica: 'host-1',
      processMetrics: false,
      exemplar: () => trace,
      codeDefaults: () => new Map([['chat-execution-mode', 2]]),
    })
    metrics.recordOutcome(failed)
    trace = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) }
    metrics.recordOutcome(ok)
    metrics.recordTurn({ mode: 'direct_llm', outcome: 'answered', latencyMs: 4_000, firstContentMs: 300 })

    // asked twice: the first answer leaves nothing behind that changes the next
    for (const _ of [1, 2]) {
      const told = await metrics.exposition('openmetrics')
      expect(told.contentType).to.match(/^application\/openmetrics-text; version=1\.0\.0/)
      const lines = told.body.split('\n')
      expect(told.body.endsWith('\n# EOF\n')).to.equal(true)
      const withTrace = lines.filter((line) => line.includes(` # {trace_id="${'a'.repeat(32)}"`))
      expect(withTrace.map((line) => line.replace(/ # .*/, ''))).to.have.members([
        'chat_execution_duration_seconds_bucket{le="2.5",mode="runtime_orchestrator"} 1',
        'chat_execution_latency_ms_bucket{le="2500",mode="runtime_orchestrator"} 1',
        'chat_first_content_seconds_bucket{le="0.5",mode="runtime_orchestrator"} 1',
        'chat_turn_seconds_bucket{le="5",mode="direct_llm"} 1',
        'chat_turn_first_content_seconds_bucket{le="0.5",mode="direct_llm"} 1',
      ])
      expect(lines).to.include('# TYPE chat_code_default_decisions counter')
      expect(lines).to.include('chat_code_default_decisions_total{flag="chat-execution-mode"} 2')

      const text = await metrics.exposition('prometheus')
      expect(text.contentType).to.match(/^text\/plain; version=0\.0\.4/)
      expect(text.body).to.not.include('trace_id').and.not.include('EOF')
      expect(text.body)
        .to.include('# HELP chat_execution_total ')
        .and.include('# TYPE chat_execution_total counter')
      expect(text.body).to.include('\nchat_turn_seconds_bucket{le="5",mode="direct_llm"} 1\n')
      expect(text.body).to.include('\n# TYPE chat_turn_seconds histogram\n')
    }
  })

  it('count an aborted execution without timing it', async () => {
    const metrics = make()
    metrics.recordOutcome(aborted)
    const found = await samples(metrics)
    expect(
      found.get('chat_executions_total{code="client_gone",mode="direct_llm",result="aborted"}'),
    ).to.equal(1)
    expect(found.get('chat_execution_duration_seconds_count{mode="direct_llm"}') ?? 0).to.equal(0)
    expect(found.get('chat_first_content_seconds_count{mode="direct_llm"}') ?? 0).to.equal(0)
  })

  it('count decisions and failovers', async () => {
    const metrics = make()
    metrics.recordDecision({ mode: 'direct_llm', reason: 'fallback', shadow: false })
    metrics.recordDecision({ mode: 'runtime_orchestrator', reason: 'targeting_match', shadow: true })
    metrics.recordFailover({
      from: 'runtime_orchestrator',
      cause: 'runtime_unreachable',
      phase: 'connect',
      afterMs: 12,
    })
    const found = await samples(metrics)
    expect(found.get('chat_decisions_total{mode="direct_llm",reason="fallback",shadow="false"}')).to.equal(1)
    expect(
      found.get('chat_decisions_total{mode="runtime_orchestrator",reason="targeting_match",shadow="true"}'),
    ).to.equal(1)
    expect(found.get('chat_failovers_total{cause="runtime_unreachable",phase="connect"}')).to.equal(1)
  })

  it('follow the streams that are open', async () => {
    const metrics = make()
    metrics.streamOpened()
    metrics.streamOpened()
    metrics.streamClosed()
    expect((await samples(metrics)).get('chat_open_streams')).to.equal(1)
  })

  it('tell the state of the flags as it is at the scrape', async () => {
    let state: FlagsStatus['state'] = 'starting'
    const metrics = make(() => ({ resolver: 'file', state, faults: [] }))
    expect((await samples(metrics)).get('chat_flags_state{state="starting"}')).to.equal(1)
    state = 'stale'
    const found = await samples(metrics)
    expect(found.get('chat_flags_state{state="starting"}')).to.equal(0)
    expect(found.get('chat_flags_state{state="stale"}')).to.equal(1)
  })

  it('tell of shadows as they are at the scrape, apart from the executions of users', async () => {
    const results = (ok: number) => ({ ok, error: 1, timeout: 0, aborted: 2 })
    const shadows = {
      running: 3,
      compared: 5,
      dropped: { busy: 4, pressure: 0 },
      executions: { direct_llm: results(7), runtime_orchestrator: results(0) },
      tokens: { direct_llm: 900, runtime_orchestrator: 0 },
      fenceViolations: 6,
    }
    const metrics = createServiceMetrics({ replica: 'host-1', processMetrics: false, shadows: () => shadows })
    await samples(metrics)
    shadows.compared = 8
    const found = await samples(metrics)
    expect(found.get('chat_shadow_running')).to.equal(3)
    expect(found.get('chat_shadow_comparisons_total')).to.equal(8)
    expect(found.get('chat_shadow_dropped_total{reason="busy"}')).to.equal(4)
    expect(found.get('chat_shadow_dropped_total{reason="pressure"}')).to.equal(0)
    expect(found.get('chat_shadow_executions_total{mode="direct_llm",result="ok"}')).to.equal(7)
    expect(found.get('chat_shadow_executions_total{mode="runtime_orchestrator",result="aborted"}')).to.equal(
      2,
    )
    expect(found.get('chat_shadow_tokens_total{mode="direct_llm"}')).to.equal(900)
    expect(found.get('chat_shadow_fence_violations_total')).to.equal(6)
    expect(found.get('chat_executions_total{code="",mode="direct_llm",result="ok"}')).to.equal(0)
    expect(await samples(make())).not.to.have.key('chat_shadow_running')
  })

  it('tell of the endpoints of the direct LLM as they are at the scrape', async () => {
    const figures = {
      requests: [['primary', 'ok', 0]] as (readonly [string, string, number])[],
      endpoints: [{ endpoint: 'primary', requests: 4, resting: true }],
      waiting: 3,
      refused: 1,
    }
    const metrics = createServiceMetrics({ replica: 'host-1', processMetrics: false, llm: () => figures })
    await samples(metrics)
    figures.requests = [
      ['primary', 'ok', 3],
      ['reserve', 'llm_unreachable', 2],
    ]
    const found = await samples(metrics)
    expect(found.get('chat_llm_requests_total{cause="ok",endpoint="primary"}')).to.equal(3)
    expect(found.get('chat_llm_requests_total{cause="llm_unreachable",endpoint="reserve"}')).to.equal(2)
    expect(found.get('chat_llm_running_requests{endpoint="primary"}')).to.equal(4)
    expect(found.get('chat_llm_endpoint_resting{endpoint="primary"}')).to.equal(1)
    expect(found.get('chat_llm_waiting_turns')).to.equal(3)
    expect(found.get('chat_llm_refused_turns_total')).to.equal(1)
  })

  it('name no org', async () => {
    const metrics = make()
    for (const outcome of [ok, failed, aborted]) metrics.recordOutcome(outcome)
    expect((await metrics.exposition()).body).to.not.contain('org-secret')
  })

  it('are one set an instance, with the process metrics beside them', async () => {
    const [first, second] = [createServiceMetrics({ replica: 'a' }), make()]
    first.streamOpened()
    expect((await samples(second)).get('chat_open_streams')).to.equal(0)
    const { contentType, body } = await first.exposition()
    expect(contentType).to.match(/^text\/plain; version=0\.0\.4/)
    expect(body).to.contain('nodejs_eventloop_lag_p99_seconds').and.contain('process_cpu_seconds_total')
  })
})

describe('the turn-level metrics', () => {
  it('count turns by who answered and how they ended, and time those that ran to their end', async () => {
    const metrics = createServiceMetrics({ replica: 'host-1', processMetrics: false })
    metrics.recordTurn({ mode: 'direct_llm', outcome: 'answered', latencyMs: 4_000, firstContentMs: 2_000 })
    metrics.recordTurn({ mode: 'direct_llm', outcome: 'failed', latencyMs: 9_000 })
    metrics.recordTurn({ mode: 'direct_llm', outcome: 'stopped', latencyMs: 50_000, firstContentMs: 12_000 })
    metrics.recordRequest('POST /api/v1/chat/start', 200)
    const found = await samples(metrics)
    expect(found.get('chat_turns_total{mode="direct_llm",outcome="answered"}')).to.equal(1)
    expect(found.get('chat_turns_total{mode="direct_llm",outcome="aborted"}')).to.equal(0)
    expect(found.get('chat_turns_total{mode="runtime_orchestrator",outcome="failed"}')).to.equal(0)
    expect(found.get('chat_turn_seconds_count{mode="direct_llm"}')).to.equal(2)
    expect(found.get('chat_turn_seconds_sum{mode="direct_llm"}')).to.equal(13)
    expect(found.get('chat_turn_first_content_seconds_count{mode="direct_llm"}')).to.equal(2)
    expect(found.get('chat_turn_first_content_seconds_bucket{le="10",mode="direct_llm"}')).to.equal(1)
    expect(found.get('chat_http_requests_total{code="200",route="POST /api/v1/chat/start"}')).to.equal(1)
  })

  it('tell whom the automatic fallback is for, without an id in a label', async () => {
    const auto: AutoLayer = {
      state: 'fallback',
      trip: { cause: 'error_rate', value: 1, threshold: 0.5 },
      since: 0,
      holdUntil: 1,
      scope: scopeOf('orgs', ['secret-1', 'secret-2']),
    }
    let override: Override = { ...NEUTRAL, auto }
    const metrics = createServiceMetrics({
      replica: 'host-1',
      processMetrics: false,
      fallback: () => ({ ...QUIET, override }),
    })
    const found = await samples(metrics)
    expect(found.get('chat_fallback_scope{scope="orgs"}')).to.equal(1)
    expect(found.get('chat_fallback_scope{scope="all"}')).to.equal(0)
    expect(found.get('chat_fallback_scope_size')).to.equal(2)
    expect([...found.keys()].join()).to.not.include('secret')
    override = NEUTRAL
    const later = await samples(metrics)
    for (const scope of ['all', 'orgs', 'agents'])
      expect(later.get(`chat_fallback_scope{scope="${scope}"}`)).to.equal(0)
  })

  it('have what the alert rules ask for: unhealthy standby, waiting recovery, the database, code defaults', async () => {
    const counts = new Map([['chat-execution-mode', 2]])
    let [alerts, isAvailable]: [readonly Alert[], boolean] = [[], true]
    const metrics = createServiceMetrics({
      replica: 'host-1',
      processMetrics: false,
      fallback: () => ({ ...QUIET, alerts }),
      codeDefaults: () => counts,
      storeAvailable: () => isAvailable,
      redisUp: () => isAvailable,
    })
    const seen = async () => {
      const found = await samples(metrics)
      return [
        'chat_fallback_alerts',
        'chat_standby_sick',
        'chat_recovery_waits',
        'chat_store_available',
        'chat_redis_up',
        'chat_code_default_decisions_total{flag="chat-execution-mode"}',
      ].map((name) => found.get(name))
    }
    expect(await seen()).to.deep.equal([0, 0, 0, 1, 1, 2])
    alerts = [{ kind: 'standby_sick' }, { kind: 'recovery_waits', percent: 5 }]
    isAvailable = false
    counts.set('chat-execution-mode', 3)
    expect(await seen()).to.deep.equal([2, 1, 1, 0, 0, 3])
  })

  it('have the open file descriptors of the process and their limit beside them', async () => {
    const found = await samples(createServiceMetrics({ replica: 'host-1' }))
    expect(found.get('process_open_fds')).to.be.greaterThan(0)
    expect(found.get('process_max_fds')).to.be.greaterThan(0)
  })
})
