import { expect } from 'chai'
import { postTurn, readTurn } from '../../support/chat-client.js'
import { bearer, startEdge } from '../../support/edge.js'
import { aborted, scripted } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

describe('a stop inside a tool', () => {
  it('closes the open call and step for the client before done', async () => {
    let working = false
    const backend = scripted('direct_llm', async function* (_turn, call) {
      yield [
        { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'running' } },
        { type: 'tool_call', data: { toolName: 'search', arguments: {}, status: 'calling' } },
      ]
      working = true
      await aborted(call.signal)
    })
    const edge = await startEdge({ backends: { direct_llm: backend }, timing: { stopLookMs: 60_000 } })
    const authorization = await bearer()
    const response = await postTurn(edge.url, authorization, 'start', { agentId: 'a', message: 'Hi' })
    await until('the tool to be called', () => working)
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    await fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}/stop`, {
      method: 'POST',
      headers: { authorization },
    })
    const { events, terminal } = await readTurn(response)
    const told = events.map(({ data }) => data as { type?: string; data?: object })
    const messages = told.filter(({ type }) => type !== undefined).map(({ type, data }) => ({ type, data }))
    expect(messages.slice(2)).to.deep.equal([
      {
        type: 'tool_result',
        data: { toolName: 'search', result: null, success: false, error: 'interrupted' },
      },
      { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'skipped' } },
    ])
    expect(terminal?.data).to.include({ stopped: true })
  })
})
