import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { Outcome } from '../../../src/execution/outcome.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { createRecoveryShadows, type RecoveryShadows } from '../../../src/shadow/run/recovery-shadows.js'
import type { Faults } from '../../../src/simulator/faults.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { SOON_MS, until } from '../../support/until.js'

const EXECUTE = '/api/v1/execute/stream'
const CANCEL = '/api/v1/execute/cancel'

describe('recovery shadows on loopback', () => {
  let runtime: Simulator
  let backend: ReturnType<typeof createRuntimeOrchestrator>
  let shadows: RecoveryShadows
  let outcomes: Outcome[]
  let lines: Record<string, unknown>[]

  beforeEach(async () => {
    runtime = await startRuntimeSimulator()
    backend = createRuntimeOrchestrator({ url: runtime.url })
    outcomes = []
    shadows = createShadows()
  })
  afterEach(async () => {
    await shadows.stop()
    backend.close()
    await runtime.close()
  })

  function createShadows(): RecoveryShadows {
    const capturing = capturingLogger()
    lines = capturing.lines
    return createRecoveryShadows({
      runtime: backend,
      clock: systemClock,
      logger: capturing.logger,
      ids: { newId: randomUUID },
      random: Math.random,
      settings: () => ({ percent: 100 }),
      allowed: () => true,
      record: (outcome) => void outcomes.push(outcome),
    })
  }

  const bodies = (path: string): Record<string, unknown>[] =>
    runtime.requests.filter((request) => request.path === path).map(({ body }) => JSON.parse(body))

  it('reach the runtime fenced, and leave nothing of the content behind', async () => {
    shadows.consider(sampleTurn({ message: 'a secret tool' }), sampleLimits)
    await until('the outcome', () => outcomes.length === 1)
    expect(outcomes[0]).to.include({ result: 'ok' })
    expect(runtime.requests[0]?.headers).to.include({ 'x-chat-shadow': '1' })
    const [body] = bodies(EXECUTE)
    expect(body?.session_id).to.match(/^shadow:[0-9a-f-]{36}$/)
    expect(body).to.deep.include({ user_message: 'a secret tool' })
    expect(body?.metadata).to.include({ shadow: true, user_id: 'user-1' })
    expect(JSON.stringify(body)).not.to.contain('session-1').and.not.to.contain('message-1')
    expect(JSON.stringify(lines)).not.to.contain('secret')
  })

  const sick: [Faults, object][] = [
    [{ refuse: true }, { result: 'error', code: 'runtime_unreachable' }],
    [{ status: 503 }, { result: 'error', code: 'runtime_http_error' }],
    [{ hang: 'headers' }, { result: 'timeout', code: 'headers_timeout' }],
    [{ hang: 'body' }, { result: 'timeout', code: 'first_content_timeout' }],
    [{ softFailure: true }, { result: 'error', code: 'runtime_soft_failure' }],
    [{ dropAfterEvents: 4 }, { result: 'error', code: 'runtime_disconnected' }],
    [{ garbage: true }, { result: 'error', code: 'runtime_protocol_error' }],
  ]
  for (const [faults, expected] of sick) {
    it(`see a runtime with ${JSON.stringify(faults)}`, async () => {
      runtime.faults = faults
      const short = faults.hang === undefined ? {} : { headersMs: 80, firstContentMs: 80 }
      shadows.consider(sampleTurn(), { ...sampleLimits, ...short })
      await until('the outcome', () => outcomes.length === 1)
      expect(outcomes[0]).to.include(expected)
      await until('the end', () => shadows.counts().running === 0)
      // Whoever cancels, cancels the shadow.
      const session = bodies(EXECUTE)[0]?.session_id
      for (const { session_id } of bodies(CANCEL)) expect(session_id).to.equal(session)
    })
  }

  it('cannot be piled up by a runtime that hangs, and are freed soon after a stop', async () => {
    runtime.faults = { hang: 'body' }
    for (let n = 0; n < 50; n += 1) shadows.consider(sampleTurn(), sampleLimits)
    await until('the executions', () => bodies(EXECUTE).length === 4)
    expect(shadows.counts()).to.include({ running: 4, dropped: 46 })
    const sessions = bodies(EXECUTE).map(({ session_id }) => session_id)
    expect(new Set(sessions).size).to.equal(4)
    const at = performance.now()
    await shadows.stop()
    expect(performance.now() - at).to.be.below(SOON_MS)
    expect(bodies(CANCEL).map(({ session_id }) => session_id)).to.have.members(sessions)
    expect(outcomes.map(({ result }) => result)).to.deep.equal(Array(4).fill('aborted'))
    backend.close()
    await until('the connections closed', () => runtime.connections === 0)
  })

  it('do not wait long where nobody answers the cancel', async () => {
    let requests = 0
    const silent = createServer((request) => {
      request.resume()
      requests += 1
    })
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    backend.close()
    const { port } = silent.address() as AddressInfo
    backend = createRuntimeOrchestrator({ url: `http://127.0.0.1:${port}` })
    const others = createShadows()
    others.consider(sampleTurn(), sampleLimits)
    await until('the execution', () => requests === 1)
    const at = performance.now()
    await others.stop()
    // 900 ms, and what a busy machine adds.
    expect(performance.now() - at).to.be.below(SOON_MS)
    expect(requests).to.equal(2)
    backend.close()
    silent.closeAllConnections()
    await new Promise((resolve) => silent.close(resolve))
  })
})
