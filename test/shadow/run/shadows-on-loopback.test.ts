import { randomUUID } from 'node:crypto'
import dns from 'node:dns'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import { createDirectLlm } from '../../../src/execution/llm/direct-llm.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import type { Comparison } from '../../../src/journal/comparison.js'
import { llmEndpoint } from '../../../src/llm/endpoint.js'
import { EXECUTION_MODES, type ExecutionMode } from '../../../src/protocol/modes.js'
import { createShadowRunner, type ShadowRunner } from '../../../src/shadow/run/shadow-runner.js'
import { postTurn, startTurn } from '../../support/chat-client.js'
import { bearer, DEFAULT_FLAGS, type Edge, startEdge } from '../../support/edge.js'
import { until } from '../../support/until.js'

const TURNS = 15
const SLOW_HOST = 'slow.test'

/** A request as it came in, at whichever backend; the head alone. */
interface Arrived {
  readonly mode: ExecutionMode
  readonly isCancel: boolean
  readonly isShadow: boolean
  readonly sessionId?: string
}

const frame = (data: unknown): string => `data: ${JSON.stringify(data)}\r\n\r\n`
const ANSWERS: Readonly<Record<ExecutionMode, string>> = {
  direct_llm: `${frame({ choices: [{ delta: { content: 'hello' } }] })}data: [DONE]\r\n\r\n`,
  runtime_orchestrator:
    frame({ event: 'text_chunk', data: { content: 'hello' } }) +
    `${frame({ event: 'execution_complete', data: { final_response: 'hello' } })}data: [DONE]\r\n\r\n`,
}
/** The beginning of an answer. */
const BEGUN: Readonly<Record<ExecutionMode, string>> = {
  direct_llm: frame({ choices: [{ delta: { content: 'he' } }] }),
  runtime_orchestrator: frame({ event: 'text_chunk', data: { content: 'he' } }),
}
const NONSENSE = 'data: {\r\n\r\n'.repeat(20)

/** The request edge before both backends on loopback, every turn shadowed. */
describe('shadows on loopback', () => {
  const arrived: Arrived[] = []
  const knobs = { mode: 'direct_llm' as ExecutionMode, aaPercent: 0 }
  const servers: Server[] = []
  const closing: (() => unknown)[] = []
  let edge: Edge
  let shadows: ShadowRunner
  let kept: Comparison[]
  let member: string
  let urls: Record<ExecutionMode, string>

  beforeEach(async () => {
    arrived.length = 0
    kept = []
    urls = {
      direct_llm: await serve('direct_llm'),
      runtime_orchestrator: await serve('runtime_orchestrator'),
    }
    member = await bearer()
  })
  afterEach(async () => {
    await edge.close()
    await shadows.stop(0)
    for (const close of closing.splice(0)) close()
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function serve(mode: ExecutionMode): Promise<string> {
    const server = createServer((request, response) => void receive(mode, request, response))
    servers.push(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async function receive(
    mode: ExecutionMode,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const isCancel = request.url?.endsWith('/cancel') === true
    const isShadow = request.headers['x-chat-shadow'] === '1'
    const entry: { -readonly [K in keyof Arrived]: Arrived[K] } = { mode, isCancel, isShadow }
    arrived.push(entry)
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk
    const { session_id: sessionId } = JSON.parse(body)
    if (typeof sessionId === 'string') entry.sessionId = sessionId
    if (isCancel) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ cancelled: true, session_id: sessionId }))
      return
    }
    response.setHeader('content-type', 'text/event-stream')
    if (body.includes('all hang') || (isShadow && body.includes('hang'))) response.write(BEGUN[mode])
    else if (isShadow && body.includes('flood')) flood(response)
    else if (isShadow && body.includes('nonsense')) response.write(NONSENSE)
    else response.end(ANSWERS[mode])
  }

  function backends(at: Readonly<Record<ExecutionMode, string>>) {
    const direct = createDirectLlm(llmEndpoint({ baseUrl: `${at.direct_llm}/v1`, model: 'm' }))
    const runtime = createRuntimeOrchestrator({ url: at.runtime_orchestrator })
    closing.push(
      () => direct.close(),
      () => runtime.close(),
    )
    return { direct_llm: direct, runtime_orchestrator: runtime }
  }

  /** @param users where the users' own backends are, if not where the shadows' are */
  async function start(users: Partial<Record<ExecutionMode, string>> = {}): Promise<void> {
    shadows = createShadowRunner({
      backends: backends(urls),
      clock: systemClock,
      logger: silentLogger,
      ids: { newId: randomUUID },
      replica: 'replica-1',
      settings: () => ({ aaPercent: knobs.aaPercent, keepContent: false }),
      pressure: () => 'none',
      sick: () => false,
      keep: (comparison) => kept.push(comparison),
      keepDrop: () => undefined,
    })
    edge = await startEdge({
      shadows,
      backends: backends({ ...urls, ...users }),
      flagsFor: async () => ({
        ...DEFAULT_FLAGS,
        mode: { value: knobs.mode, reason: 'default' },
        shadow: true,
      }),
    })
  }

  for (const mode of EXECUTION_MODES)
    for (const aaPercent of [0, 100]) {
      const direction = `${mode}, A/A ${aaPercent}%`

      it(`wait for the connection of the user's request, however long it takes (${direction})`, async () => {
        Object.assign(knobs, { mode, aaPercent })
        await start({ [mode]: urls[mode].replace('127.0.0.1', SLOW_HOST) })
        const names = heldLookups()
        closing.push(() => names.restore())
        const turn = startTurn(edge.url, member)
        await until('the control to look for its backend', () => names.waiting() === 1)
        const since = performance.now()
        await until('a while', () => performance.now() - since > 30)
        expect(arrived).to.deep.equal([])
        names.release()
        expect((await turn).terminal?.event).to.equal('done')
        await until('the pair', () => kept.length === 1)
        expect(arrived.map(({ isShadow }) => isShadow)).to.have.members([false, true])
        expect(arrived.find(({ isShadow }) => isShadow)?.mode === mode).to.equal(aaPercent === 100)
      })

      it(`reach their backend after the user's request reached its own (${direction})`, async () => {
        Object.assign(knobs, { mode, aaPercent })
        await start()
        for (let turn = 1; turn <= TURNS; turn += 1) {
          expect((await startTurn(edge.url, member)).terminal?.event).to.equal('done')
          await until('the pair', () => kept.length === turn)
          // The first ones connect; which of two connections a server takes first is its own affair.
          if (turn > 1)
            expect(
              arrived.map(({ isShadow }) => isShadow),
              `turn ${turn}`,
            ).to.deep.equal([false, true])
          arrived.length = 0
        }
      })
    }

  it('are compared too where the user’s request found no connection', async () => {
    Object.assign(knobs, { mode: 'direct_llm', aaPercent: 0 })
    const closed = createTcpServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    await start({ direct_llm: `http://127.0.0.1:${port}` })
    expect((await startTurn(edge.url, member)).terminal?.event).to.equal('error')
    await until('the pair', () => kept.length === 1)
    expect(kept[0]?.control).to.include({ result: 'error', code: 'llm_unreachable' })
    expect(kept[0]?.candidate).to.include({ result: 'ok' })
  })

  it('cancel themselves alone, never the session of a user', async () => {
    const leftByUsers: string[] = []
    for (const mode of EXECUTION_MODES) {
      Object.assign(knobs, { mode, aaPercent: mode === 'runtime_orchestrator' ? 100 : 0 })
      await start()
      const counts = () => shadows.counts()
      const executions = () => arrived.filter(({ isCancel }) => !isCancel).length
      const answered = async (message: string): Promise<void> => {
        expect((await startTurn(edge.url, member, message)).terminal?.event).to.equal('done')
      }
      await answered('shadows hang')
      await until('the shadow', () => counts().running === 1)
      await answered('shadows flood')
      await until('the flood to be given up', () => counts().dropped.flood === 1)
      await answered('shadows talk nonsense')
      await until('the failure', () => counts().executions.runtime_orchestrator.error === 1)
      await until('its cancel', () => counts().running === 1)
      for (const how of ['stop', 'leave'] as const) {
        const before = executions()
        const { running } = counts()
        const response = await postTurn(edge.url, member, 'start', { agentId: 'a', message: 'all hang' })
        const sessionId = response.headers.get('x-chat-session-id') ?? ''
        if (mode === 'runtime_orchestrator') leftByUsers.push(sessionId)
        await until('both requests', () => executions() === before + 2)
        if (how === 'stop') await postTurn(edge.url, member, `sessions/${sessionId}/stop`, {})
        await response.body?.cancel()
        await until('the end of the turn', () => edge.turns.count === 0)
        // It goes on: how long it takes is known only at its end.
        expect(counts().running).to.equal(running + 1)
      }
      await until('the end of the turns', () => edge.turns.count === 0)
      await shadows.stop(0)
      await edge.close()
    }
    const sessions = (wanted: Pick<Arrived, 'isCancel' | 'isShadow'>) =>
      arrived
        .filter(({ isCancel, isShadow }) => isCancel === wanted.isCancel && isShadow === wanted.isShadow)
        .map(({ sessionId }) => sessionId)
    // In both directions: one that hung, one that flooded, one that talked nonsense, two that outlived their users until the stop.
    const cancelled = sessions({ isCancel: true, isShadow: true })
    expect(cancelled).to.have.length(10)
    for (const sessionId of cancelled) expect(sessionId).to.match(/^shadow:[0-9a-f-]{36}$/)
    expect(sessions({ isCancel: false, isShadow: true })).to.have.members(cancelled)
    // Of the users' sessions those alone that they gave up themselves.
    expect(sessions({ isCancel: true, isShadow: false })).to.have.members(leftByUsers)
  })
})

/** Keeps a connection busy until its reader is gone. */
function flood(response: ServerResponse): void {
  const piece = frame({ event: 'text_chunk', data: { content: 'x'.repeat(8000) } })
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  }
  response.on('drain', more)
  more()
}

/** Names of {@link SLOW_HOST} are looked up only once they are released. */
function heldLookups() {
  const { lookup } = dns
  const held: (() => void)[] = []
  let isReleased = false
  const slow = (hostname: string, options: object, callback: (...result: unknown[]) => void): void => {
    const answer = (): void => void lookup('127.0.0.1', options, callback)
    if (hostname !== SLOW_HOST || isReleased) lookup(hostname, options, callback)
    else held.push(answer)
  }
  Object.assign(dns, { lookup: slow })
  return {
    waiting: () => held.length,
    release() {
      isReleased = true
      for (const answer of held) answer()
    },
    restore: () => void Object.assign(dns, { lookup }),
  }
}
