import { setTimeout } from 'node:timers/promises'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { expect } from 'chai'
import { NO_TRACING } from '../../../src/core/tracing/tracing.js'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { postTurn, readTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { answering, scripted, text } from '../../support/scripted-backend.js'
import { spansInMemory, spanTree } from '../../support/spans.js'
import { until } from '../../support/until.js'

const SECRET = 'marmalade'
const ON_RUNTIME = { mode: { value: 'runtime_orchestrator', reason: 'targeting_match' } } as const
const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const CLIENTS = { traceparent: `00-${TRACE_ID}-b7ad6b7169203331-01`, tracestate: 'vendor=opaque' }

const plainStep: BackendEvent = {
  type: 'plan_step',
  data: { stepId: 's1', title: SECRET, status: 'running' },
}

/** of a time as OpenTelemetry has it: seconds and nanoseconds */
const microseconds = ([seconds, nanos]: readonly number[] = []): number =>
  (seconds ?? 0) * 1_000_000 + (nanos ?? 0) / 1_000

describe('the spans of a turn', () => {
  let edge: Edge
  afterEach(() => edge.close())

  /** One turn on an edge that traces. Its spans once the last, that of the request, has ended. */
  async function traced(
    options: EdgeOptions,
    headers: Record<string, string> = {},
    body: object = { agentId: 'assistant', message: SECRET },
  ): Promise<ReadableSpan[]> {
    const { tracing, finished } = spansInMemory()
    edge = await startEdge({ tracing, ...options })
    const response = await postTurn(edge.url, await bearer(), 'start', body, headers)
    await readTurn(response)
    await until('the span of the request', () => finished().some(({ kind }) => kind === SpanKind.SERVER))
    return finished()
  }
  const named = (spans: readonly ReadableSpan[], name: string): ReadableSpan => {
    const found = spans.find((span) => span.name === name)
    if (found === undefined)
      throw new Error(`${name} is not among ${spans.map((span) => span.name).join(', ')}`)
    return found
  }
  const failing = scripted('runtime_orchestrator', async function* (_turn, call) {
    call.onConnected()
    yield [plainStep]
    throw new ExecutionError('runtime_disconnected', 'headers', SECRET)
  })

  const afterAWhile = scripted('direct_llm', async function* (_turn, call) {
    call.onConnected()
    await setTimeout(20)
    yield [text('Hi')]
    yield [{ type: 'usage', data: { tokens: 7, estimated: false } }]
  })

  it('are a tree that shows a failover as a second attempt, linked to the first', async () => {
    const spans = await traced({
      flags: ON_RUNTIME,
      backends: { runtime_orchestrator: failing, direct_llm: afterAWhile },
    })
    expect(spanTree(spans)).to.deep.equal({
      'POST /api/v1/chat/start': {
        'invoke_agent assistant': {
          decide: {},
          'attempt runtime_orchestrator': {},
          'attempt direct_llm': {},
        },
      },
    })
    const first = named(spans, 'attempt runtime_orchestrator')
    expect(first.kind).to.equal(SpanKind.CLIENT)
    expect(first.status.code).to.equal(SpanStatusCode.ERROR)
    expect(first.attributes).to.include({
      'error.type': 'runtime_disconnected',
      'chat.phase': 'headers',
      'chat.outcome': 'error',
      'chat.attempt': 1,
    })
    expect(first.events.map(({ name }) => name)).to.deep.equal(['connected'])
    const second = named(spans, 'attempt direct_llm')
    expect(second.attributes).to.include({ 'chat.attempt': 2, 'chat.outcome': 'ok' })
    expect(second.status.code).to.equal(SpanStatusCode.UNSET)
    expect(second.links.map(({ context }) => context.spanId)).to.deep.equal([first.spanContext().spanId])
    expect(second.links[0]?.attributes).to.deep.equal({
      'chat.failover.from': 'runtime_orchestrator',
      'chat.failover.cause': 'runtime_disconnected',
    })
    const turn = named(spans, 'invoke_agent assistant')
    expect(turn.status.code).to.equal(SpanStatusCode.UNSET)
    expect(turn.attributes).to.include({
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.id': 'assistant',
      'chat.org.id': 'org-1',
      'chat.execution_mode': 'direct_llm',
      'chat.outcome': 'answered',
      'chat.usage.tokens': 7,
    })
    const [failover] = turn.events
    expect(failover?.name).to.equal('failover')
    expect(failover?.attributes).to.include({
      'chat.failover.from': 'runtime_orchestrator',
      'chat.failover.cause': 'runtime_disconnected',
      'chat.failover.phase': 'headers',
    })
    expect(failover?.attributes?.['chat.failover.after_ms']).to.be.a('number')
    // Where the second attempt begins, not where the turn ends. Each span has its start in whole ms.
    expect(microseconds(failover?.time)).to.be.lessThan(microseconds(second.endTime) - 10_000)
    const request = named(spans, 'POST /api/v1/chat/start')
    expect(request.attributes).to.include({
      'http.request.method': 'POST',
      'http.route': '/api/v1/chat/start',
      'http.response.status_code': 200,
    })
  })

  it('tell each flag that decided, by the conventions', async () => {
    const spans = await traced({ flags: ON_RUNTIME })
    const decide = named(spans, 'decide')
    expect(decide.events.map(({ name }) => name)).to.deep.equal(Array(4).fill('feature_flag.evaluation'))
    const told = decide.events.map(({ attributes }) => [
      attributes?.['feature_flag.key'],
      attributes?.['feature_flag.result.value'],
      attributes?.['feature_flag.result.reason'],
    ])
    expect(told).to.deep.equal([
      ['chat-execution-mode', 'runtime_orchestrator', 'targeting_match'],
      ['chat-runtime-fallback', false, undefined],
      ['chat-runtime-rollout', false, undefined],
      ['chat-runtime-shadow', false, undefined],
    ])
    expect(decide.attributes).to.deep.equal({
      'chat.decision.mode': 'runtime_orchestrator',
      'chat.decision.reason': 'targeting_match',
      'chat.decision.shadow': false,
    })
  })

  it('name flagd as the provider of a flag, and nobody where a module has the operators’ flags', async () => {
    const providersWith = async (resolver: 'rpc' | 'provider') => {
      const spans = await traced({ flags: ON_RUNTIME, status: { resolver } })
      return named(spans, 'decide').events.map(({ attributes }) => attributes?.['feature_flag.provider.name'])
    }
    expect(await providersWith('rpc')).to.deep.equal(['flagd', 'flagd', 'flagd', 'flagd'])
    await edge.close()
    expect(await providersWith('provider')).to.deep.equal([undefined, 'flagd', 'flagd', undefined])
  })

  it('name the guarded rollout where it put the turn on the runtime', async () => {
    const decide = named(await traced({ flags: { rollout: { on: true } } }), 'decide')
    const rollout = decide.events.find(
      ({ attributes }) => attributes?.['feature_flag.key'] === 'chat-runtime-rollout',
    )
    expect(rollout?.attributes?.['feature_flag.result.value']).to.equal(true)
    expect(decide.attributes['chat.decision.reason']).to.equal('rollout')
  })

  it('have the calls of the runtime below its attempt, ended also where they never were', async () => {
    const calls = scripted('runtime_orchestrator', async function* () {
      yield [{ type: 'tool_call', data: { toolName: 'search', arguments: SECRET, status: 'calling' } }]
      yield [{ type: 'tool_result', data: { toolName: 'search', result: SECRET, success: true } }]
      yield [
        {
          type: 'mcp_call',
          data: { serverId: 'files', toolName: 'read', arguments: SECRET, status: 'calling' },
        },
      ]
      throw new ExecutionError('runtime_error', 'streaming', SECRET)
    })
    const spans = await traced({ flags: ON_RUNTIME, backends: { runtime_orchestrator: calls } })
    expect(spanTree(spans)['POST /api/v1/chat/start']?.['invoke_agent assistant']).to.deep.equal({
      decide: {},
      'attempt runtime_orchestrator': { 'execute_tool search': {}, 'execute_tool read': {} },
    })
    expect(named(spans, 'execute_tool search').status.code).to.equal(SpanStatusCode.UNSET)
    expect(named(spans, 'execute_tool search').attributes).to.include({
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'search',
    })
    expect(named(spans, 'execute_tool read').attributes).to.include({
      'error.type': 'interrupted',
      'chat.mcp.server': 'files',
    })
    expect(named(spans, 'invoke_agent assistant').attributes).to.include({ 'error.type': 'runtime_error' })
  })

  it('have nothing of the content, and nobody’s name', async () => {
    const spans = await traced({ flags: ON_RUNTIME, backends: { runtime_orchestrator: failing } })
    const whole = JSON.stringify(
      spans.map(({ name, attributes, events, links, status }) => ({
        name,
        attributes,
        events,
        links,
        status,
      })),
    )
    expect(whole).to.include('runtime_disconnected')
    expect(whole).to.not.include(SECRET)
    expect(whole).to.not.include('Hello from direct')
    expect(whole).to.not.include('user-1')
  })

  it('continue the trace of the client, and log lines and the trace of the turn name it', async () => {
    const upstreams: Readonly<Record<string, string>>[] = []
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      upstreams.push(call.span?.headers ?? {})
      yield [text('Hello')]
    })
    const spans = await traced({ flags: ON_RUNTIME, backends: { runtime_orchestrator: runtime } }, CLIENTS)
    for (const span of spans) expect(span.spanContext().traceId).to.equal(TRACE_ID)
    expect(named(spans, 'POST /api/v1/chat/start').parentSpanContext?.spanId).to.equal('b7ad6b7169203331')
    const attempt = named(spans, 'attempt runtime_orchestrator').spanContext().spanId
    expect(upstreams).to.deep.equal([
      { traceparent: `00-${TRACE_ID}-${attempt}-01`, tracestate: 'vendor=opaque' },
    ])
    const line = edge.log.find(({ msg }) => msg === 'turn ended')
    const turn = named(spans, 'invoke_agent assistant').spanContext()
    expect(line).to.include({ trace_id: TRACE_ID, span_id: turn.spanId })
    expect(line?.streamId).to.equal(line?.messageId)
    expect(line).to.include.keys('requestId', 'sessionId')
  })

  it('are none where nobody traces, and the context of the client is carried on as it came', async () => {
    const upstreams: (Readonly<Record<string, string>> | undefined)[] = []
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      upstreams.push(call.span?.headers)
      yield []
      throw new ExecutionError('runtime_unreachable', 'connect', 'x')
    })
    const direct = scripted('direct_llm', async function* (_turn, call) {
      upstreams.push(call.span?.headers)
      yield [text('Hello')]
    })
    edge = await startEdge({
      tracing: NO_TRACING,
      flags: ON_RUNTIME,
      backends: { runtime_orchestrator: runtime, direct_llm: direct },
    })
    const turn = async (headers: Record<string, string>): Promise<void> => {
      const body = { agentId: 'assistant', message: 'Hi' }
      await readTurn(await postTurn(edge.url, await bearer(), 'start', body, headers))
    }
    await turn(CLIENTS)
    expect(upstreams.splice(0)).to.deep.equal([CLIENTS, CLIENTS])
    await until('the log line', () => edge.log.some(({ msg }) => msg === 'turn ended'))
    for (const line of edge.log) expect(line).to.include({ trace_id: TRACE_ID })
    for (const wrong of ['', 'nonsense', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`]) {
      await turn(wrong === '' ? {} : { traceparent: wrong })
      expect(upstreams.splice(0), wrong).to.deep.equal([undefined, undefined])
    }
    expect(edge.log.at(-1)).to.not.have.any.keys('trace_id', 'span_id')
  })

  it('end also where no turn begins', async () => {
    const spans = await traced({ admission: { admit: () => 3, leave: () => undefined } })
    expect(spanTree(spans)).to.deep.equal({
      'POST /api/v1/chat/start': { 'invoke_agent assistant': { decide: {} } },
    })
    expect(named(spans, 'invoke_agent assistant').attributes).to.include({ 'error.type': 'llm_overloaded' })
    await edge.close()
    const { tracing, finished } = spansInMemory()
    edge = await startEdge({ tracing, backends: { direct_llm: answering('direct_llm', 'x') } })
    const unknown = 'sessions/00000000-0000-4000-8000-000000000000'
    await (await postTurn(edge.url, await bearer(), unknown, { message: 'Hi' })).text()
    await until('both spans', () => finished().length === 2)
    expect(spanTree(finished())).to.deep.equal({
      'POST /api/v1/chat/sessions/:sessionId': { invoke_agent: {} },
    })
    await fetch(`${edge.url}/health/live`)
    await fetch(`${edge.url}/metrics`)
    expect(finished()).to.have.length(2)
  })
})
