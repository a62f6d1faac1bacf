import { expect } from 'chai'
import type { ChatBackend } from '../../../src/execution/backend.js'
import type { Outcome } from '../../../src/execution/outcome.js'
import { createRuntimeOrchestrator } from '../../../src/execution/runtime/runtime-orchestrator.js'
import { createFenceGate, type FenceGate } from '../../../src/shadow/run/fence-gate.js'
import { createRecoveryShadows } from '../../../src/shadow/run/recovery-shadows.js'
import { startRuntimeSimulator } from '../../../src/simulator/runtime.js'
import type { Simulator } from '../../../src/simulator/simulator-server.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { answering, hanging } from '../../support/scripted-backend.js'
import { controlOutcome, shadowRig } from '../../support/shadow-rig.js'
import { settled } from '../../support/turn-runner.js'
import { until } from '../../support/until.js'

const EXECUTE = '/api/v1/execute/stream'
const CANCEL = '/api/v1/execute/cancel'
const TOOLS = sampleTurn({ message: 'Use a tool: pay the bill.' })

describe('the gate before a runtime that may ignore the fence', () => {
  let runtime: Simulator
  let backend: ReturnType<typeof createRuntimeOrchestrator>
  let gate: FenceGate
  let clock: ReturnType<typeof manualClock>
  let lines: Record<string, unknown>[]

  beforeEach(async () => {
    runtime = await startRuntimeSimulator()
    const capturing = capturingLogger()
    lines = capturing.lines
    clock = manualClock()
    backend = createRuntimeOrchestrator(
      { url: runtime.url },
      { onShadowHead: (honoured) => gate.sawHead(honoured) },
    )
    let id = 0
    gate = createFenceGate({
      runtime: () => backend,
      clock,
      logger: capturing.logger,
      ids: {
        newId() {
          id += 1
          return `gate-${id}`
        },
      },
    })
  })
  afterEach(async () => {
    await gate.stop()
    backend.close()
    await runtime.close()
  })

  const bodies = (path = EXECUTE): Record<string, unknown>[] =>
    runtime.requests.filter((request) => request.path === path).map(({ body }) => JSON.parse(body))
  const messages = () => bodies().map(({ user_message }) => user_message)
  const pass = () => gate.mayPass(TOOLS, sampleLimits)
  const answered = (count: number) => until(`${count} answers`, () => lines.length === count)

  it('asks a question that needs no tool, as a shadow, and opens when the runtime keeps the fence', async () => {
    runtime.faults = { honourShadow: true }
    expect(pass()).to.equal(false)
    expect(pass(), 'while it asks').to.equal(false)
    await answered(1)
    expect(pass()).to.equal(true)
    expect(messages()).to.deep.equal(['Hello. Please answer with one word.'])
    expect(bodies()[0]).to.deep.include({ session_id: 'shadow:gate-1', agent_id: 'agent-1', org_id: 'org-1' })
    expect(bodies()[0]?.history_messages).to.deep.equal([{ role: 'user', content: messages()[0] }])
    expect(bodies()[0]?.metadata).to.include({ shadow: true })
    expect(JSON.stringify(lines)).not.to.contain('bill')
  })

  it('stays closed where the runtime ignores the fence, gives the question up, and asks again after a minute', async () => {
    pass()
    await answered(1)
    await until('the cancel', () => bodies(CANCEL).length === 1)
    expect(bodies(CANCEL)).to.deep.equal([{ session_id: 'shadow:gate-1' }])
    await settled()
    clock.advance(59_999)
    expect(pass()).to.equal(false)
    expect(messages()).to.have.length(1)
    runtime.faults = { honourShadow: true }
    clock.advance(1)
    expect(pass()).to.equal(false)
    await answered(2)
    expect(pass()).to.equal(true)
    expect(lines.map(({ msg }) => msg)).to.deep.equal([
      'the runtime ignores the fence around shadows: none is sent to it',
      'the runtime keeps the fence around shadows',
    ])
  })

  it('asks a runtime that does not answer again after ten seconds', async () => {
    runtime.faults = { status: 503 }
    pass()
    await until('the question', () => messages().length === 1)
    await until('its end', () => clock.pending() === 0)
    await settled()
    clock.advance(9_999)
    pass()
    expect(messages()).to.have.length(1)
    runtime.faults = { honourShadow: true }
    clock.advance(1)
    pass()
    await answered(1)
    expect(pass()).to.equal(true)
  })

  it('is not opened again by the answer to a shadow after one ignored the fence', () => {
    gate.sawHead(true)
    expect(gate.isOpen(), 'nothing was asked').to.equal(false)
    gate.sawHead(false)
    gate.sawHead(true)
    expect(gate.isOpen()).to.equal(false)
  })

  it('asks no more once it is stopped, and cancels what it asked', async () => {
    runtime.faults = { honourShadow: true, hang: 'body' }
    pass()
    await answered(1)
    const stopped = gate.stop()
    await until('the cancel', () => bodies(CANCEL).length === 1)
    await stopped
    gate.sawHead(false)
    clock.advance(120_000)
    expect(pass()).to.equal(false)
    expect(messages()).to.have.length(1)
  })

  /** Shadows of a comparison whose candidate is the simulated runtime. */
  function comparing(candidate: ChatBackend = backend) {
    const rig = shadowRig({ runtime_orchestrator: candidate }, { fence: gate })
    const compare = () => rig.consider('direct_llm', { message: TOOLS.message })?.ended(controlOutcome())
    return { ...rig, compare }
  }

  it('keeps the shadows of a comparison back until it is open', async () => {
    runtime.faults = { honourShadow: true }
    const { compare, rounds, dropped, kept, runner } = comparing()
    compare()
    await rounds()
    expect(dropped()).to.deep.equal({ unfenced: 1 })
    await answered(1)
    compare()
    await until('the pair', async () => {
      await rounds(1)
      return kept.length === 1
    })
    expect(messages()).to.deep.equal(['Hello. Please answer with one word.', TOOLS.message])
    expect(kept[0]?.candidate, 'no tool ran').to.deep.include({ result: 'ok' })
    await runner.stop(0)
  })

  it('gives up a shadow at its head where the runtime ignores the fence again, and does not compare it', async () => {
    runtime.faults = { honourShadow: true }
    const { compare, rounds, dropped, kept, runner } = comparing()
    pass()
    await answered(1)
    runtime.faults = {}
    compare()
    await rounds()
    await until('the drop', () => dropped().unfenced === 1)
    await until('its cancel', () => bodies(CANCEL).length === 1)
    expect(kept).to.have.length(0)
    compare()
    await rounds()
    expect(dropped()).to.deep.equal({ unfenced: 2 })
    expect(messages()).to.have.length(2)
    await runner.stop(0)
  })

  it('lets shadows to the direct LLM pass, whatever the runtime does', async () => {
    const { consider, rounds, kept, runner } = comparing(answering('runtime_orchestrator', 'x'))
    consider('runtime_orchestrator')?.ended(controlOutcome({ mode: 'runtime_orchestrator' }))
    await rounds()
    expect(kept).to.have.length(1)
    expect(messages()).to.have.length(0)
    await runner.stop(0)
  })

  it('keeps the shadows of a recovery back, and what it gave up is no evidence', async () => {
    const outcomes: Outcome[] = []
    const shadows = createRecoveryShadows({
      runtime: backend,
      clock,
      logger: capturingLogger().logger,
      ids: { newId: () => 'recovery' },
      random: () => 0,
      settings: () => ({ percent: 100 }),
      allowed: () => true,
      fence: gate,
      record: (outcome) => void outcomes.push(outcome),
    })
    runtime.faults = { honourShadow: true }
    shadows.consider(TOOLS, sampleLimits)
    expect(shadows.counts()).to.include({ started: 0, dropped: 1 })
    await answered(1)
    shadows.consider(TOOLS, sampleLimits)
    await until('the outcome', () => outcomes.length === 1)
    expect(outcomes[0]).to.include({ result: 'ok' })
    runtime.faults = {}
    shadows.consider(TOOLS, sampleLimits)
    await until('the end', () => shadows.counts().error === 1)
    expect(outcomes).to.have.length(1)
    shadows.consider(TOOLS, sampleLimits)
    expect(shadows.counts()).to.include({ started: 2, dropped: 2 })
    await shadows.stop()
  })
})

describe('the question for the fence', () => {
  it('is given up within a second by a runtime that never ends it', async () => {
    const clock = manualClock()
    const never = hanging('runtime_orchestrator')
    const gate = createFenceGate({
      runtime: () => never,
      clock,
      logger: capturingLogger().logger,
      ids: { newId: () => 'id' },
    })
    expect(gate.mayPass(TOOLS, sampleLimits)).to.equal(false)
    await settled()
    await gate.stop()
    expect(clock.pending()).to.equal(0)
    expect(never.turns).to.have.length(1)
  })
})
