import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import type { ChatBackend } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { createRoutedLlm } from '../../../src/execution/llm/routed-llm.js'
import { LlmGate } from '../../../src/llm/gate/gate.js'
import { errorOf } from '../../support/answers.js'
import { postTurn, readTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { aborted, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

/** An edge whose direct LLM answers one turn at a time, each when the test says so; two more may wait. */
async function edgeWithOnePlace(options: EdgeOptions = {}) {
  const answers: (() => void)[] = []
  const endpoint = scripted('direct_llm', async function* (turn, call) {
    call.onConnected()
    call.onHeaders()
    await Promise.race([new Promise<void>((resolve) => answers.push(resolve)), aborted(call.signal)])
    yield [text(`answer to ${turn.message}`)]
  })
  const gate = new LlmGate([{ name: 'only', maxConcurrent: 1 }], {
    clock: systemClock,
    onRest: () => undefined,
    onBack: () => undefined,
  })
  const llm = createRoutedLlm(new Map([['only', { ...endpoint, close: () => undefined }]]), {
    clock: systemClock,
    logger: silentLogger,
    random: () => 0,
    gate,
    onRequest: () => ({ end: () => undefined }),
  })
  const edge = await startEdge({
    ...options,
    admission: llm,
    backends: { direct_llm: llm, ...options.backends },
  })
  const answerNext = async (): Promise<void> => {
    await until('a request', () => answers.length > 0)
    answers.shift()?.()
  }
  return { edge, gate, endpoint, answerNext }
}

const start = async (edge: Edge, message: string): Promise<Response> =>
  postTurn(edge.url, await bearer(), 'start', { agentId: 'a', message })

const next = async (edge: Edge, sessionId: string, message: string): Promise<Response> =>
  postTurn(edge.url, await bearer(), `sessions/${sessionId}`, { message })

describe('a direct LLM without a free place', () => {
  it('refuses a turn with 503 and Retry-After before its stream opens, and the session is free at once', async () => {
    const { edge, gate, endpoint, answerNext } = await edgeWithOnePlace()
    const first = await start(edge, 'one')
    const reading = readTurn(first)
    await answerNext()
    const sessionId = first.headers.get('x-chat-session-id') ?? ''
    await reading
    const holding = await start(edge, 'two')
    const queue = [start(edge, 'three'), start(edge, 'four')]
    await until('two in the queue', () => gate.waiting === 2)

    const refused = await next(edge, sessionId, 'refused')
    expect(refused.status).to.equal(503)
    expect(Number(refused.headers.get('retry-after'))).to.be.at.least(1)
    expect((await errorOf(refused)).code).to.equal('overloaded')
    expect(edge.outcomes).to.have.length(1)
    expect(edge.decisions).to.have.length(4)

    const all = [holding, ...(await Promise.all(queue))].map((response) => readTurn(response))
    for (let turn = 0; turn < 3; turn++) await answerNext()
    for (const { status } of await Promise.all(all)) expect(status).to.equal(200)

    const again = readTurn(await next(edge, sessionId, 'again'))
    await answerNext()
    expect((await again).status).to.equal(200)
    const asked = endpoint.turns.at(-1)
    expect(asked?.history.map(({ content }) => content)).to.not.include('refused')
    expect(gate.waiting).to.equal(0)
    await edge.close()
  })

  it('gives the place back of a user who leaves while waiting', async () => {
    const { edge, gate } = await edgeWithOnePlace()
    await start(edge, 'one')
    const waiting = await start(edge, 'two')
    await until('one in the queue', () => gate.waiting === 1)
    await waiting.body?.cancel()
    await until('nobody in the queue', () => gate.waiting === 0)
    await edge.close()
  })

  it('ends a turn honestly that comes over from the runtime, for its stream is open', async () => {
    const broken: ChatBackend = scripted('runtime_orchestrator', async function* () {
      yield* []
      throw new ExecutionError('runtime_unreachable', 'connect', 'refused')
    })
    const { edge, gate } = await edgeWithOnePlace({
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: { runtime_orchestrator: broken },
    })
    const open = [start(edge, 'one'), start(edge, 'two'), start(edge, 'three')]
    await Promise.all(open)
    await until('two in the queue', () => gate.waiting === 2)
    const { status, events } = await readTurn(await start(edge, 'four'))
    expect(status).to.equal(200)
    const last = events.at(-1)
    expect(last?.event).to.equal('error')
    expect(last?.data).to.deep.include({
      code: 'llm_overloaded',
      recoverable: true,
      executionMode: 'direct_llm',
    })
    const direct = edge.outcomes.filter(({ mode }) => mode === 'direct_llm')
    expect(direct.map(({ result }) => result)).to.deep.equal(['rejected'])
    await edge.close()
  })
})
