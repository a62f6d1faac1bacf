import { expect } from 'chai'
import { turnTraceSchema } from '../../../src/protocol/turn-trace.js'
import { startTurn } from '../../support/chat-client.js'
import { operatorEnv, runCli } from '../../support/cli.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { scripted, text } from '../../support/scripted-backend.js'

describe('chat-cutover sessions trace', () => {
  let edge: Edge
  afterEach(() => edge.close())

  it('prints what happened in a turn, in the order of time, and the answer of the API for scripts', async () => {
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      call.onConnected()
      yield [
        {
          type: 'plan',
          data: { steps: [{ id: 's1', title: 'marmalade', status: 'pending' }], currentStep: 0 },
        },
        { type: 'tool_call', data: { toolName: 'search', arguments: {}, status: 'calling' } },
        { type: 'tool_result', data: { toolName: 'search', result: 1, success: true, duration: 420 } },
      ]
      yield [text('Hello')]
    })
    edge = await startEdge({
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: { runtime_orchestrator: runtime },
    })
    const { sessionId, terminal } = await startTurn(edge.url, await bearer({ role: 'admin' }), 'marmalade')
    const messageId = terminal?.event === 'done' ? terminal.data.messageId : ''
    const env = await operatorEnv(edge)
    const { code, out } = await runCli(['sessions', 'trace', sessionId, messageId], { env })
    expect(code).to.equal(0)
    expect(out).to.match(
      new RegExp(`^${messageId} {2}20\\S+ \\S+ {2}request \\S+\\n\\+0 ms +decision +runtime +default\\n`),
    )
    expect(out).to.match(/\n\+\d+ ms +tool +search +success +420 ms\n/)
    expect(out).to.match(/\n\+\d+ ms +end +runtime +answered\n +step +s1 +pending\n$/)
    expect(out).to.not.contain('marmalade')
    const json = await runCli(['sessions', 'trace', sessionId, messageId, '--json'], { env })
    expect(turnTraceSchema.parse(JSON.parse(json.out)).calls).to.have.length(1)
    const none = await runCli(['sessions', 'trace', sessionId, sessionId], { env })
    expect([none.code, none.err.includes('404')]).to.deep.equal([1, true])
  })
})
