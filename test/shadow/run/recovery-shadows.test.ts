import { expect } from 'chai'
import fc from 'fast-check'
import type { ChatBackend } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import type { Outcome } from '../../../src/execution/outcome.js'
import { createRecoveryShadows, type RecoveryShadowsDeps } from '../../../src/shadow/run/recovery-shadows.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { aborted, answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { spansInMemory } from '../../support/spans.js'
import { settled } from '../../support/turn-runner.js'

const RUNTIME = 'runtime_orchestrator'
const NUM_RUNS = 100

function setUp(runtime: ChatBackend, overrides: Partial<RecoveryShadowsDeps> = {}) {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const outcomes: Outcome[] = []
  let n = 0
  const shadows = createRecoveryShadows({
    runtime,
    clock,
    logger,
    ids: {
      newId() {
        n += 1
        return `id-${n}`
      },
    },
    random: () => 0,
    settings: () => ({ percent: 100 }),
    allowed: () => true,
    record: (outcome) => void outcomes.push(outcome),
    ...overrides,
  })
  return { shadows, clock, lines, outcomes }
}

/** Fails, at once or after so many pieces. */
const failing = (error: Error, ...pieces: string[]) =>
  scripted(RUNTIME, async function* (_turn, call) {
    call.onConnected()
    for (const piece of pieces) yield [text(piece)]
    throw error
  })

describe('recovery shadows', () => {
  it('are a trace of their own, linked to the turn of the user', async () => {
    const { tracing, finished } = spansInMemory()
    const span = tracing.begin('invoke_agent', {}, { traceparent: '', tracestate: '' })
    if (span === undefined) throw new Error('nobody traces')
    const headers: object[] = []
    const runtime = scripted(RUNTIME, async function* (_turn, call) {
      headers.push(call.span?.headers ?? {})
      yield [text('hello')]
    })
    const { shadows } = setUp(runtime)
    shadows.consider(sampleTurn({ span }), sampleLimits)
    await settled()
    await shadows.stop()
    const [shadow] = finished()
    expect(shadow?.name).to.equal('recovery shadow runtime_orchestrator')
    expect(shadow?.attributes).to.include({ 'chat.shadow': true, 'chat.outcome': 'ok' })
    expect(shadow?.links.map(({ context }) => context.spanId)).to.deep.equal([span.ids.span_id])
    const { traceId, spanId } = shadow?.spanContext() ?? { traceId: '', spanId: '' }
    expect(traceId).to.not.equal(span.ids.trace_id)
    expect(headers).to.deep.equal([{ traceparent: `00-${traceId}-${spanId}-01` }])
  })

  it('run the same turn behind the fence', async () => {
    const runtime = answering(RUNTIME, 'hello')
    const { shadows } = setUp(runtime)
    const turn = sampleTurn({
      history: [{ role: 'user', content: 'before' }],
      profile: { systemPrompt: 'Be kind.' },
    })
    shadows.consider(turn, sampleLimits)
    await settled()
    expect(runtime.turns).to.deep.equal([
      {
        ...turn,
        sessionId: 'shadow:id-1',
        messageId: 'id-2',
        requestId: 'shadow:request-1',
        caller: { ...turn.caller, sessionId: 'shadow:id-1' },
        shadow: true,
      },
    ])
    await shadows.stop()
  })

  it('record one outcome each', async () => {
    const { shadows, outcomes } = setUp(answering(RUNTIME, 'a', 'b'))
    shadows.consider(sampleTurn(), sampleLimits)
    await settled()
    expect(outcomes).to.have.length(1)
    expect(outcomes[0]).to.include({ mode: RUNTIME, result: 'ok', orgId: 'org-1', tokens: 7 })
    expect(shadows.counts()).to.deep.equal({
      running: 0,
      started: 1,
      dropped: 0,
      ok: 1,
      error: 0,
      timeout: 0,
      aborted: 0,
      rejected: 0,
    })
  })

  const failures: [string, ChatBackend, object][] = [
    [
      'fails',
      failing(new ExecutionError('runtime_unreachable', 'connect', 'refused')),
      { result: 'error', code: 'runtime_unreachable', phase: 'connect' },
    ],
    [
      'fails after the commit point',
      failing(new ExecutionError('runtime_disconnected', 'streaming', 'lost'), 'a'),
      { result: 'error', code: 'runtime_disconnected', phase: 'streaming' },
    ],
    ['answers nothing', answering(RUNTIME), { result: 'error', code: 'empty_answer' }],
    [
      'throws what it must not',
      failing(new TypeError('secret content')),
      { result: 'error', code: 'internal_error' },
    ],
    ['hangs', hanging(RUNTIME), { result: 'timeout', code: 'first_content_timeout', latencyMs: 60_000 }],
    ['hangs in mid-answer', hanging(RUNTIME, 'a'), { result: 'timeout', code: 'gap_timeout' }],
  ]
  for (const [what, runtime, expected] of failures) {
    it(`tell of a runtime that ${what}`, async () => {
      const { shadows, outcomes, clock, lines } = setUp(runtime)
      shadows.consider(sampleTurn(), sampleLimits)
      await settled()
      clock.advance(60_000)
      await settled()
      expect(outcomes).to.have.length(1)
      expect(outcomes[0]).to.include(expected)
      expect(shadows.counts().running).to.equal(0)
      expect(clock.pending()).to.equal(0)
      expect(JSON.stringify(lines)).not.to.contain('secret').and.not.to.contain('hello')
    })
  }

  it('have the time their turn would have had, and no more', async () => {
    const endless = scripted(RUNTIME, async function* (_turn, call) {
      call.onHeaders()
      const given = aborted(call.signal)
      while (!call.signal.aborted) {
        yield [text('x')]
        await Promise.race([new Promise<void>((resolve) => clock.schedule(1000, resolve)), given])
      }
    })
    const { shadows, outcomes, clock } = setUp(endless)
    shadows.consider(sampleTurn(), { ...sampleLimits, totalMs: 100_000 })
    for (let n = 0; n < 100; n += 1) {
      await settled()
      // It lets others run now and then, and no time counts until it is back.
      await settled()
      expect(outcomes).to.have.length(0)
      clock.advance(1000)
    }
    await settled()
    expect(outcomes[0]).to.include({ result: 'timeout', code: 'total_timeout', latencyMs: 100_000 })
  })

  describe('are chosen', () => {
    it('at least once in ten seconds, counted from the last that ran', async () => {
      const runtime = answering(RUNTIME, 'a')
      const { shadows, clock } = setUp(runtime, { settings: () => ({ percent: 0 }) })
      const at: number[] = []
      for (let now = 0; now <= 25_000; now += 500) {
        const before = runtime.turns.length
        shadows.consider(sampleTurn(), sampleLimits)
        if (runtime.turns.length > before) at.push(now)
        await settled()
        clock.advance(500)
      }
      expect(at).to.deep.equal([0, 10_000, 20_000])
    })

    it('by their share of the turns, whose guardrail may change', async () => {
      const runtime = answering(RUNTIME, 'a')
      let percent = 5
      let random = 0
      const { shadows } = setUp(runtime, { settings: () => ({ percent }), random: () => random })
      const ran = async (): Promise<number> => {
        const before = runtime.turns.length
        for (let n = 0; n < 100; n += 1) {
          random = n / 100
          shadows.consider(sampleTurn(), sampleLimits)
          await settled()
        }
        return runtime.turns.length - before
      }
      expect(await ran()).to.equal(5)
      percent = 50
      expect(await ran()).to.equal(50)
      percent = 100
      expect(await ran()).to.equal(100)
    })

    it('never where they are not allowed', async () => {
      const runtime = answering(RUNTIME, 'a')
      const { shadows } = setUp(runtime, { allowed: ({ orgId }) => orgId === 'org-2' })
      shadows.consider(sampleTurn(), sampleLimits)
      expect(runtime.turns).to.have.length(0)
      const caller = { ...sampleTurn().caller, orgId: 'org-2' }
      shadows.consider(sampleTurn({ caller }), sampleLimits)
      expect(runtime.turns).to.have.length(1)
      expect(shadows.counts()).to.include({ started: 1, dropped: 0 })
      await shadows.stop()
    })

    it('never of a shadow', () => {
      const runtime = answering(RUNTIME, 'a')
      const { shadows } = setUp(runtime)
      shadows.consider(sampleTurn({ shadow: true }), sampleLimits)
      expect(runtime.turns).to.have.length(0)
    })
  })

  it('are dropped beyond four, and go on when a place is free', async () => {
    const runtime = hanging(RUNTIME)
    const { shadows, clock, outcomes } = setUp(runtime)
    for (let n = 0; n < 10; n += 1) shadows.consider(sampleTurn(), sampleLimits)
    expect(runtime.turns).to.have.length(4)
    expect(shadows.counts()).to.include({ running: 4, started: 4, dropped: 6 })
    clock.advance(60_000)
    await settled()
    expect(outcomes).to.have.length(4)
    shadows.consider(sampleTurn(), sampleLimits)
    expect(runtime.turns).to.have.length(5)
    await shadows.stop()
  })

  it('show a runtime that answers again long before those that hang in it have ended', async () => {
    let isHung = true
    const runtime = scripted(RUNTIME, async function* (_turn, call) {
      call.onHeaders()
      if (isHung) await aborted(call.signal)
      yield [text('a')]
    })
    const { shadows, clock, outcomes } = setUp(runtime)
    const oneSecond = async (): Promise<void> => {
      for (let n = 0; n < 10; n += 1) {
        shadows.consider(sampleTurn(), sampleLimits)
        await settled()
        clock.advance(100)
      }
    }
    for (let second = 0; second < 12; second += 1) await oneSecond()
    expect(shadows.counts()).to.include({ started: 6, running: 6 })
    isHung = false
    for (let second = 0; second < 6; second += 1) await oneSecond()
    const good = outcomes.filter(({ result }) => result === 'ok').length
    expect(good).to.be.greaterThan(10)
    expect(shadows.counts()).to.include({ running: 6, timeout: 0, aborted: 0 })
    for (let second = 0; second < 60; second += 1) await oneSecond()
    expect(shadows.counts()).to.include({ running: 0, timeout: 6 })
    await shadows.stop()
  })

  it('are bounded and have their full time, however long the runtime hangs', async () => {
    const { shadows, clock, outcomes } = setUp(hanging(RUNTIME))
    let most = 0
    for (let n = 0; n < 3000; n += 1) {
      shadows.consider(sampleTurn(), sampleLimits)
      most = Math.max(most, shadows.counts().running)
      await settled()
      clock.advance(100)
    }
    expect(most).to.be.within(12, 17)
    for (const outcome of outcomes) expect(outcome).to.include({ result: 'timeout', latencyMs: 60_000 })
    await shadows.stop()
  })

  it('keep their place until the runtime was told to cancel', async () => {
    let told = (): void => {}
    const runtime = scripted(RUNTIME, async function* (_turn, call) {
      yield [text('a')]
      call.after(
        new Promise<void>((resolve) => {
          told = resolve
        }),
      )
      throw new ExecutionError('runtime_soft_failure', 'streaming', 'an error sent as an answer')
    })
    const { shadows, outcomes } = setUp(runtime, { maxConcurrent: 1 })
    shadows.consider(sampleTurn(), sampleLimits)
    await settled()
    expect(outcomes).to.have.length(1)
    shadows.consider(sampleTurn(), sampleLimits)
    expect(shadows.counts()).to.include({ running: 1, dropped: 1 })
    told()
    await settled()
    expect(shadows.counts().running).to.equal(0)
  })

  describe('stopped', () => {
    it('are given up, at no fault of the runtime, and no more begin', async () => {
      const runtime = hanging(RUNTIME, 'a')
      const { shadows, clock, outcomes } = setUp(runtime)
      shadows.consider(sampleTurn(), sampleLimits)
      shadows.consider(sampleTurn(), sampleLimits)
      await settled()
      await shadows.stop()
      expect(outcomes.map(({ result }) => result)).to.deep.equal(['aborted', 'aborted'])
      expect(outcomes[0]).to.include({ code: 'shutting_down' })
      shadows.consider(sampleTurn(), sampleLimits)
      expect(shadows.counts()).to.include({ running: 0, started: 2, dropped: 0 })
      expect(clock.pending()).to.equal(0)
      await shadows.stop()
    })

    it('are waited for less than a second', async () => {
      const deaf = scripted(RUNTIME, async function* () {
        await new Promise<void>(() => {})
        yield []
      })
      const { shadows, clock } = setUp(deaf)
      shadows.consider(sampleTurn(), sampleLimits)
      let stopped = false
      const stopping = shadows.stop().then(() => {
        stopped = true
      })
      clock.advance(899)
      await settled()
      expect(stopped).to.equal(false)
      clock.advance(1)
      await stopping
    })
  })

  it('never throw at whoever asks for them', async () => {
    const thrower = (): never => {
      throw new Error('of ours')
    }
    const runtime = answering(RUNTIME, 'a')
    for (const overrides of [
      { allowed: thrower },
      { settings: thrower, random: thrower },
      { record: thrower },
    ]) {
      const { shadows, lines, clock } = setUp(runtime, overrides)
      shadows.consider(sampleTurn(), sampleLimits)
      await settled()
      if ('settings' in overrides) shadows.consider(sampleTurn(), sampleLimits)
      expect(lines.filter(({ level }) => level === 50)).to.have.length(1)
      await shadows.stop()
      expect(shadows.counts().running).to.equal(0)
      expect(clock.pending()).to.equal(0)
    }
  })

  it('stay bounded, and record once each, whatever the runtime does', async () => {
    const script = fc.constantFrom('answer', 'fail', 'hang', 'deaf' as const)
    const act = fc.oneof(
      script.map((kind) => ({ kind, ms: 0 })),
      fc.integer({ min: 1, max: 40_000 }).map((ms) => ({ kind: 'pass' as const, ms })),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
        let next: string = 'answer'
        const runtime = scripted(RUNTIME, async function* (_turn, call) {
          const does = next
          call.onHeaders()
          if (does === 'fail') throw new ExecutionError('runtime_error', 'streaming', 'failed')
          if (does === 'hang') await aborted(call.signal)
          if (does === 'deaf') await new Promise<void>(() => {})
          yield [text('a')]
        })
        const { shadows, clock, outcomes } = setUp(runtime)
        for (const { kind, ms } of acts) {
          if (kind === 'pass') clock.advance(ms)
          else {
            next = kind
            shadows.consider(sampleTurn(), sampleLimits)
          }
          expect(shadows.counts().running).to.be.at.most(20)
          await settled()
        }
        const stopping = shadows.stop()
        await settled()
        clock.advance(1000)
        await stopping
        const { started, dropped } = shadows.counts()
        expect(started + dropped).to.equal(acts.filter(({ kind }) => kind !== 'pass').length)
        expect(outcomes).to.have.length(started)
        expect(clock.pending()).to.equal(0)
      }),
      { numRuns: NUM_RUNS },
    )
  })
})
