import { expect } from 'chai'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { messageEventSchema } from '../../../src/protocol/events.js'
import { MOST_TRACE_BYTES, type TurnTrace, turnTraceSchema } from '../../../src/protocol/turn-trace.js'
import { readTurn, startTurn, type TurnSeen } from '../../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { aborted, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const SECRET = 'marmalade'
const ON_RUNTIME = { mode: { value: 'runtime_orchestrator', reason: 'targeting_match' } } as const

const plan: BackendEvent = {
  type: 'plan',
  data: {
    steps: [
      { id: 's1', title: SECRET, status: 'pending' },
      { id: 's2', title: SECRET, status: 'pending' },
    ],
    currentStep: 0,
  },
}
const step = (stepId: string, status: 'running' | 'completed' | 'failed', tool?: string): BackendEvent => ({
  type: 'plan_step',
  data: { stepId, title: SECRET, status, ...(tool === undefined ? {} : { tool }), params: { q: SECRET } },
})
const called = (toolName: string): BackendEvent => ({
  type: 'tool_call',
  data: { toolName, arguments: { q: SECRET }, status: 'calling' },
})
const told = (toolName: string, success: boolean): BackendEvent => ({
  type: 'tool_result',
  data: { toolName, result: SECRET, success, ...(success ? {} : { error: SECRET }) },
})

function messageIdOf({ events, terminal }: TurnSeen): string {
  const id = terminal?.event === 'done' ? terminal.data.messageId : undefined
  if (id !== undefined) return id
  throw new Error(`no message id among ${events.length} events`)
}

/** Ids of the events with which calls began. */
const callIds = (events: TurnSeen['events']): string[] =>
  events.flatMap(({ event, data }) => {
    const message = event === 'message' ? messageEventSchema.parse(data) : undefined
    return message?.type === 'tool_call' ? [message.id] : []
  })

describe('the trace of a turn', () => {
  let edge: Edge
  afterEach(() => edge.close())

  const ask = async (sessionId: string, messageId: string, claims = {}): Promise<Response> =>
    fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}/turns/${messageId}/trace`, {
      headers: { authorization: await bearer(claims) },
    })
  const traceOf = async (sessionId: string, messageId: string): Promise<TurnTrace> => {
    const { data }: { data: unknown } = JSON.parse(await (await ask(sessionId, messageId)).text())
    return turnTraceSchema.parse(data)
  }
  const messageIdIn = async (sessionId: string): Promise<string> => {
    const view = await edge.sessions.read(sessionId, { orgId: 'org-1', userId: 'user-1' })
    return view?.messages.at(-1)?.id ?? ''
  }

  it('tells decision, attempts with their phases, steps, calls and end', async () => {
    const clock = manualClock()
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      clock.advance(10)
      call.onConnected()
      clock.advance(20)
      call.onHeaders()
      yield [plan, step('s1', 'running', 'search')]
      clock.advance(30)
      yield [called('search')]
      call.watch?.fileDropped()
      clock.advance(40)
      yield [told('search', true), step('s1', 'completed')]
      yield [step('s2', 'running'), text('Hello')]
      clock.advance(5)
      yield [step('s2', 'completed'), { type: 'usage', data: { tokens: 7, estimated: false } }]
    })
    edge = await startEdge({ clock, flags: ON_RUNTIME, backends: { runtime_orchestrator: runtime } })
    const authorization = await bearer({ exp: clock.wall() / 1000 + 600 })
    const response = await fetch(`${edge.url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', 'x-request-id': 'request-7' },
      body: JSON.stringify({ agentId: 'assistant', message: SECRET }),
    })
    const seen = await readTurn(response)
    const messageId = messageIdOf(seen)
    const answer = await fetch(
      `${edge.url}/api/v1/chat/sessions/${seen.sessionId}/turns/${messageId}/trace`,
      {
        headers: { authorization },
      },
    )
    const body = await answer.text()
    expect(body).to.not.include(SECRET)
    const [callId] = callIds(seen.events)
    expect(turnTraceSchema.parse(JSON.parse(body).data)).to.deep.equal({
      sessionId: seen.sessionId,
      messageId,
      requestId: 'request-7',
      startedAt: new Date(clock.wall() - 105).toISOString(),
      decision: { mode: 'runtime_orchestrator', reason: 'targeting_match', shadow: false },
      flags: { mode: ON_RUNTIME.mode, shadow: false, override: false, rollout: false },
      attempts: [
        {
          mode: 'runtime_orchestrator',
          at: 0,
          connectedAt: 10,
          headersAt: 30,
          firstContentAt: 30,
          durationMs: 105,
          result: 'ok',
          filesDropped: 1,
        },
      ],
      steps: [
        { stepId: 's1', status: 'completed', tool: 'search', at: 30, durationMs: 70 },
        { stepId: 's2', status: 'completed', at: 100, durationMs: 5 },
      ],
      calls: [
        { callId, kind: 'tool', name: 'search', stepId: 's1', status: 'success', at: 60, durationMs: 40 },
      ],
      dropped: 0,
      end: { event: 'done', status: 'answered', at: 105, executionMode: 'runtime_orchestrator', tokens: 7 },
    })
  })

  it('tells both attempts of a turn that failed over, and nothing that closed what the first left open', async () => {
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      call.onConnected()
      call.onHeaders()
      yield [plan, step('s1', 'running')]
      throw new ExecutionError('runtime_disconnected', 'first_content', SECRET)
    })
    edge = await startEdge({ flags: ON_RUNTIME, backends: { runtime_orchestrator: runtime } })
    const seen = await startTurn(edge.url, await bearer())
    const trace = await traceOf(seen.sessionId, messageIdOf(seen))
    expect(
      trace.attempts.map(({ mode, result, code, phase }) => ({ mode, result, code, phase })),
    ).to.deep.equal([
      { mode: 'runtime_orchestrator', result: 'error', code: 'runtime_disconnected', phase: 'first_content' },
      { mode: 'direct_llm', result: 'ok', code: undefined, phase: undefined },
    ])
    expect(trace.failover).to.include({ from: 'runtime_orchestrator', cause: 'runtime_disconnected' })
    expect(trace.steps.map(({ stepId, status }) => `${stepId} ${status}`)).to.deep.equal([
      's1 skipped',
      's2 skipped',
    ])
    expect(trace.calls).to.deep.equal([])
    expect(trace.end).to.not.have.property('failedAt')
  })

  const failingAfter = (...events: BackendEvent[]) =>
    scripted('runtime_orchestrator', async function* () {
      for (const event of events) yield [event]
      throw new ExecutionError('runtime_error', 'streaming', SECRET)
    })

  it('says at which step and call a turn failed, as the error event does', async () => {
    const runtime = failingAfter(
      plan,
      step('s1', 'running'),
      called('search'),
      told('search', true),
      called('buy'),
    )
    edge = await startEdge({ flags: ON_RUNTIME, backends: { runtime_orchestrator: runtime } })
    const { events, terminal, sessionId } = await startTurn(edge.url, await bearer())
    const callId = callIds(events)[1]
    expect(terminal?.data).to.deep.include({ details: { phase: 'streaming', stepId: 's1', callId } })
    const { end, calls: kept } = await traceOf(sessionId, await messageIdIn(sessionId))
    expect(end).to.deep.include({ event: 'error', code: 'runtime_error', failedAt: { stepId: 's1', callId } })
    expect(kept.map(({ status }) => status)).to.deep.equal(['success', 'interrupted'])
  })

  it('names a step and a call that failed just before, and none that went well', async () => {
    const failed = failingAfter(
      step('s1', 'running'),
      called('buy'),
      told('buy', false),
      step('s1', 'failed'),
    )
    edge = await startEdge({ flags: ON_RUNTIME, backends: { runtime_orchestrator: failed } })
    const seen = await startTurn(edge.url, await bearer())
    expect(seen.terminal?.data).to.have.nested.property('details.stepId', 's1')
    expect(seen.terminal?.data).to.have.nested.property('details.callId')
    await edge.close()
    const well = failingAfter(
      step('s1', 'running'),
      called('buy'),
      told('buy', true),
      step('s1', 'completed'),
    )
    edge = await startEdge({ flags: ON_RUNTIME, backends: { runtime_orchestrator: well } })
    const { terminal } = await startTurn(edge.url, await bearer())
    expect(terminal?.data).to.deep.include({ details: { phase: 'streaming' } })
  })

  it('is for its user and for admins of the org: to others there is no such session', async () => {
    edge = await startEdge()
    const seen = await startTurn(edge.url, await bearer())
    const messageId = messageIdOf(seen)
    const statusFor = async (claims: object) => (await ask(seen.sessionId, messageId, claims)).status
    expect(await statusFor({})).to.equal(200)
    expect(await statusFor({ sub: 'boss', role: 'admin' })).to.equal(200)
    expect(await statusFor({ sub: 'user-2' })).to.equal(404)
    expect(await statusFor({ sub: 'boss', role: 'owner', org_id: 'org-2' })).to.equal(404)
    expect((await ask(seen.sessionId, '00000000-0000-4000-8000-000000000000')).status).to.equal(404)
    expect((await ask('no-session', messageId)).status).to.equal(404)
    const path = `/api/v1/chat/sessions/${seen.sessionId}/turns/${messageId}/trace`
    expect((await fetch(`${edge.url}${path}`)).status).to.equal(401)
  })

  it('is not there while the turn runs, and tells one that was left', async () => {
    const endless = scripted('direct_llm', async function* (_turn, call) {
      yield [text('a')]
      await aborted(call.signal)
    })
    edge = await startEdge({ backends: { direct_llm: endless } })
    const leaving = new AbortController()
    const response = await fetch(`${edge.url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization: await bearer(), 'content-type': 'application/json' },
      body: JSON.stringify({ agentId: 'assistant', message: 'Hi' }),
      signal: leaving.signal,
    })
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    const messageId = response.headers.get('x-chat-stream-id') ?? ''
    expect((await ask(sessionId, messageId)).status).to.equal(404)
    leaving.abort()
    await until('the end of the turn', () => edge.endedTurns.length === 1)
    const { end } = await traceOf(sessionId, messageId)
    expect(end).to.include({ event: 'none', status: 'aborted', code: 'client_gone' })
  })

  it('has a bound, however many calls a runtime makes and however long their names are', async () => {
    const name = (n: number): string => `${n} ${'名'.repeat(5000)}`
    const runtime = scripted('runtime_orchestrator', async function* () {
      for (let n = 0; n < 300; n += 1) yield [step(name(n), 'running'), called(name(n)), told(name(n), true)]
    })
    edge = await startEdge({ flags: ON_RUNTIME, backends: { runtime_orchestrator: runtime } })
    const seen = await startTurn(edge.url, await bearer())
    const response = await ask(seen.sessionId, messageIdOf(seen))
    const body = await response.text()
    expect(Buffer.byteLength(body)).to.be.lessThan(MOST_TRACE_BYTES + 100)
    const trace = turnTraceSchema.parse(JSON.parse(body).data)
    expect(trace.calls.length).to.be.greaterThan(5)
    expect(trace.steps.length + trace.calls.length + trace.dropped).to.equal(600)
  })
})
