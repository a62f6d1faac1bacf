import { expect } from 'chai'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { postTurn, readTurn, startTurn } from '../../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { aborted, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

describe('the figures of turns and requests', () => {
  let edge: Edge
  afterEach(() => edge.close())

  it('tell a turn that failed over once, with the time its user waited', async () => {
    const clock = manualClock()
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      call.onConnected()
      yield []
      clock.advance(60)
      throw new ExecutionError('runtime_unreachable', 'headers', 'broke')
    })
    const direct = scripted('direct_llm', async function* () {
      clock.advance(5)
      yield [text('Hello')]
      clock.advance(7)
    })
    edge = await startEdge({
      clock,
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: { runtime_orchestrator: runtime, direct_llm: direct },
    })
    await startTurn(edge.url, await bearer({ exp: clock.wall() / 1000 + 600 }))
    await until('the turn', () => edge.endedTurns.length === 1)
    expect(edge.outcomes).to.have.length(2)
    const [turn] = edge.endedTurns
    // Both times from the request on, not from the start of the execution that answered.
    const times = { firstContentMs: 65, latencyMs: 72 }
    expect(turn).to.deep.equal({ mode: 'direct_llm', outcome: 'answered', ...times })
  })

  it('tell how a turn ended for its user', async () => {
    const failing = scripted('direct_llm', async function* () {
      yield []
      throw new ExecutionError('llm_http_error', 'headers', 'said')
    })
    edge = await startEdge({ backends: { direct_llm: failing } })
    await startTurn(edge.url, await bearer())
    await until('the turn', () => edge.endedTurns.length === 1)
    expect(edge.endedTurns[0]).to.include({ mode: 'direct_llm', outcome: 'failed' })
    expect(edge.endedTurns[0]).to.not.have.property('firstContentMs')
  })

  it('tell a turn that was stopped', async () => {
    const endless = scripted('direct_llm', async function* (_turn, call) {
      yield [text('a')]
      await aborted(call.signal)
    })
    edge = await startEdge({ backends: { direct_llm: endless } })
    const authorization = await bearer()
    const response = await postTurn(edge.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    await fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}/stop`, {
      method: 'POST',
      headers: { authorization },
    })
    await readTurn(response)
    await until('the turn', () => edge.endedTurns.length === 1)
    expect(edge.endedTurns[0]).to.include({ outcome: 'stopped' })
    await until('both requests', () => edge.requests.length === 2)
    expect(edge.requests).to.have.members([
      '200 POST /api/v1/chat/start',
      '200 POST /api/v1/chat/sessions/:sessionId/stop',
    ])
  })

  it('name the route of a request, never its path', async () => {
    edge = await startEdge()
    const authorization = await bearer()
    const id = '00000000-0000-4000-8000-000000000000'
    await fetch(`${edge.url}/health/live`)
    await fetch(`${edge.url}/api/v1/chat/sessions/${id}`, { headers: { authorization } })
    await fetch(`${edge.url}/api/v1/chat/sessions/${id}`)
    await fetch(`${edge.url}/api/v1/nothing/${id}`)
    await fetch(`${edge.url}/api/v1/chat/start`, { method: 'DELETE' })
    await until('all of them', () => edge.requests.length === 5)
    expect(edge.requests).to.deep.equal([
      '200 GET /health/live',
      '404 GET /api/v1/chat/sessions/:sessionId',
      '401 GET /api/v1/chat/sessions/:sessionId',
      '404 unmatched',
      '405 unmatched',
    ])
  })
})
