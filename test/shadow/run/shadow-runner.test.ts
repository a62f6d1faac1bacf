import { expect } from 'chai'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import type { MessageBody } from '../../../src/protocol/events.js'
import { sampleOutcome } from '../../metrics/sample-outcome.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { aborted, answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { controlOutcome, shadowRig } from '../../support/shadow-rig.js'

const RUNTIME = 'runtime_orchestrator'
const DIRECT = 'direct_llm'
const said = (content: string): MessageBody => ({ type: 'text', data: { content } })
const failed = { result: 'error', code: 'runtime_error', phase: 'streaming' } as const

describe('shadows', () => {
  describe('are compared', () => {
    it('when both sides have ended, whichever is first', async () => {
      for (const controlFirst of [true, false]) {
        const { consider, kept, rounds, runner } = shadowRig()
        const handle = consider()
        handle?.saw([said('Hello from '), said('me')])
        if (controlFirst) handle?.ended(controlOutcome({ tokens: 9 }))
        expect(kept).to.have.length(0)
        await rounds()
        if (!controlFirst) {
          expect(kept).to.have.length(0)
          handle?.ended(controlOutcome({ tokens: 9 }))
          await rounds()
        }
        handle?.left()
        expect(kept).to.have.length(1)
        expect(kept[0]).to.deep.include({
          kind: 'ab',
          replica: 'replica-1',
          orgId: 'org-1',
          agentId: 'agent-1',
          at: Date.UTC(2026, 0, 1),
          fenceViolations: 0,
        })
        expect(kept[0]?.control).to.deep.equal({
          mode: DIRECT,
          result: 'ok',
          latencyMs: 40,
          firstContentMs: 10,
          tokens: 9,
          characters: 13,
          steps: 0,
          calls: 0,
        })
        expect(kept[0]?.candidate).to.deep.include({ mode: RUNTIME, result: 'ok', tokens: 7, characters: 18 })
        expect(kept[0]?.textSimilarity).to.be.within(0.1, 0.99)
        expect(kept[0]).not.to.have.property('content')
        expect(runner.counts()).to.include({ running: 0, compared: 1 })
      }
    })

    it('in both directions, and with the same backend once more', async () => {
      const { consider, kept, rounds, knobs } = shadowRig()
      for (const mode of [DIRECT, RUNTIME] as const)
        for (const aaPercent of [0, 100]) {
          knobs.aaPercent = aaPercent
          consider(mode)?.ended(controlOutcome({ mode }))
          await rounds()
        }
      expect(kept.map(({ kind, control, candidate }) => [kind, control.mode, candidate.mode])).to.deep.equal([
        ['ab', DIRECT, RUNTIME],
        ['aa', DIRECT, DIRECT],
        ['ab', RUNTIME, DIRECT],
        ['aa', RUNTIME, RUNTIME],
      ])
    })

    it('with the runtime itself where the direct LLM took over', async () => {
      const { consider, kept, rounds } = shadowRig()
      const handle = consider(RUNTIME)
      handle?.ended(controlOutcome({ mode: RUNTIME, latencyMs: 5, ...failed }))
      handle?.saw([said('the direct LLM says')])
      handle?.ended(controlOutcome({ mode: DIRECT }))
      await rounds()
      expect(kept).to.have.length(1)
      expect(kept[0]?.control).to.include({
        mode: RUNTIME,
        result: 'error',
        code: 'runtime_error',
        characters: 0,
      })
      expect(kept[0]?.candidate).to.include({ mode: DIRECT, result: 'ok' })
    })

    it('also when the candidate failed, or missed a deadline of the turn', async () => {
      const fails = scripted(RUNTIME, async function* () {
        yield [text('a')]
        throw new ExecutionError('runtime_error', 'streaming', 'no')
      })
      const first = shadowRig({ runtime_orchestrator: fails })
      first.consider()?.ended(controlOutcome())
      await first.rounds()
      expect(first.kept[0]?.candidate).to.include({ result: 'error', code: 'runtime_error' })

      const second = shadowRig({ runtime_orchestrator: hanging(RUNTIME, 'a') })
      second.consider(DIRECT, {}, { ...sampleLimits, gapMs: 700 })?.ended(controlOutcome())
      await second.rounds()
      second.clock.advance(700)
      await second.rounds()
      expect(second.kept[0]?.candidate).to.include({ result: 'timeout', code: 'gap_timeout', latencyMs: 700 })
      expect(second.runner.counts().executions.runtime_orchestrator).to.include({ timeout: 1 })
    })

    it('by the deadlines of the direct LLM where that is the candidate', async () => {
      const { consider, kept, rounds, clock } = shadowRig({ direct_llm: hanging(DIRECT, 'a') })
      const llm = { connectMs: 1, headersMs: 1, firstContentMs: 1, gapMs: 700 }
      consider(RUNTIME, {}, { ...sampleLimits, gapMs: 300, llm })?.ended(controlOutcome())
      await rounds()
      clock.advance(700)
      await rounds()
      expect(kept[0]?.candidate).to.include({ result: 'timeout', code: 'gap_timeout', latencyMs: 700 })
    })

    it('by estimated tokens alike where one of them does not count', async () => {
      const silent = scripted(RUNTIME, async function* () {
        yield [text('four')]
      })
      const { consider, kept, rounds, runner } = shadowRig({ runtime_orchestrator: silent })
      const handle = consider()
      handle?.saw([said('eightlet')])
      handle?.ended(controlOutcome({ tokens: 5000 }))
      await rounds()
      // `hello` is two tokens
      expect([kept[0]?.control.tokens, kept[0]?.candidate.tokens]).to.deep.equal([4, 3])
      expect(runner.counts().tokens).to.deep.equal({ direct_llm: 0, runtime_orchestrator: 3 })
    })

    it('with their redacted content only where that is asked for', async () => {
      const { consider, kept, rounds, knobs, lines } = shadowRig({
        runtime_orchestrator: answering(RUNTIME, 'write to ada@example.com'),
      })
      knobs.keepContent = true
      const handle = consider()
      handle?.saw([said('call 13812345678')])
      handle?.ended(controlOutcome())
      await rounds()
      expect(kept[0]?.content).to.deep.equal({ control: 'call [phone]', candidate: 'write to [email]' })
      expect(JSON.stringify(lines)).not.to.match(/call|write|hello/)
    })
  })

  it('go behind the fence, after the request of their control', async () => {
    const runtime = answering(RUNTIME, 'a')
    const { consider, rounds } = shadowRig({ runtime_orchestrator: runtime })
    const turn = sampleTurn({ history: [{ role: 'user', content: 'before' }], messageId: 'message-1' })
    const handle = consider(DIRECT, turn)
    expect(runtime.turns).to.have.length(0)
    await rounds()
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
    handle?.left()
  })

  it('wait for the request of their control, or for its failure, and not for a place meanwhile', async () => {
    const runtime = answering(RUNTIME, 'a')
    const { consider, rounds, knobs, clock, kept } = shadowRig({ runtime_orchestrator: runtime })
    knobs.connecting = true
    const [connected, failing] = [consider(), consider()]
    clock.advance(2500)
    await rounds()
    expect(runtime.turns).to.have.length(0)
    connected?.underWay()
    expect(runtime.turns).to.have.length(0)
    await rounds()
    expect(runtime.turns).to.have.length(1)
    connected?.underWay()
    connected?.ended(controlOutcome())
    failing?.ended(controlOutcome({ result: 'timeout', code: 'connect_timeout', phase: 'connect' }))
    await rounds()
    expect(runtime.turns).to.have.length(2)
    expect(kept.map(({ control }) => control.result)).to.deep.equal(['ok', 'timeout'])
  })

  it('are dropped while they wait for that, like those that wait for a place', async () => {
    const runtime = answering(RUNTIME, 'a')
    const { consider, rounds, knobs, clock, dropped, runner } = shadowRig(
      { runtime_orchestrator: runtime },
      { maxQueue: 1 },
    )
    knobs.connecting = true
    const handles = [consider(), consider(), consider(), consider()]
    handles[0]?.left()
    handles[1]?.underWay()
    handles[2]?.underWay()
    handles[0]?.underWay()
    expect(dropped()).to.deep.equal({ aborted: 1, busy: 1 })
    knobs.pressure = 'some'
    clock.advance(250)
    expect(dropped()).to.deep.equal({ aborted: 1, busy: 1, pressure: 2 })
    knobs.pressure = 'none'
    const last = consider()
    await runner.stop(0)
    expect(dropped()).to.deep.equal({ aborted: 1, busy: 1, pressure: 2, draining: 1 })
    for (const handle of [...handles, last]) {
      handle?.underWay()
      handle?.ended(controlOutcome())
    }
    await rounds()
    expect(runtime.turns).to.have.length(0)
  })

  it('start one a round of the event loop, however many are selected at once', async () => {
    const runtime = answering(RUNTIME, 'a')
    const { consider, clock, rounds } = shadowRig({ runtime_orchestrator: runtime })
    for (let n = 0; n < 10; n += 1) consider()
    for (let started = 1; started <= 3; started += 1) {
      const jump = clock.step()
      expect([jump, runtime.turns.length]).to.deep.equal([true, started])
    }
    await rounds()
    expect(runtime.turns).to.have.length(10)
  })

  it('are only run for turns that are selected, and never for a shadow', () => {
    const { runner, consider } = shadowRig()
    const decision = { mode: DIRECT, reason: 'default', shadow: false } as const
    expect(runner.consider(sampleTurn(), decision, sampleLimits)).to.equal(undefined)
    expect(consider(DIRECT, { shadow: true })).to.equal(undefined)
    expect(runner.counts().dropped).to.deep.equal({
      busy: 0,
      pressure: 0,
      sick: 0,
      draining: 0,
      aborted: 0,
      flood: 0,
      rejected: 0,
      unfenced: 0,
      fault: 0,
    })
  })

  it('tell what a runtime changed in spite of the fence', async () => {
    const call = (toolName: string) =>
      ({ type: 'tool_call', data: { toolName, arguments: { to: 'secret' }, status: 'calling' } }) as const
    const runtime = scripted(RUNTIME, async function* () {
      for (let n = 0; n < 9; n += 1) yield [call('search')]
      yield [call('send_mail')]
      yield [{ type: 'file', data: { url: 'http://x', filename: 'secret', mimeType: 'text/plain' } }]
      yield [text('done')]
    })
    const { consider, kept, rounds, runner, lines, knobs, clock } = shadowRig({
      runtime_orchestrator: runtime,
    })
    for (let n = 0; n < 3; n += 1) {
      consider()?.ended(controlOutcome())
      await rounds()
    }
    expect(kept.map(({ fenceViolations }) => fenceViolations)).to.deep.equal([2, 2, 2])
    expect(runner.counts().fenceViolations).to.equal(6)
    const warnings = () => lines.filter(({ msg }) => msg === 'the runtime seems to change things in a shadow')
    expect(warnings()).to.have.length(1)
    expect(warnings()[0]).to.deep.include({ fenceViolations: 2, calls: ['tool:send_mail'], files: 1 })
    expect(JSON.stringify(lines)).not.to.contain('secret')
    clock.advance(60_000)
    // The control's own calls are the user's: nobody fenced them.
    knobs.aaPercent = 100
    const handle = consider(DIRECT)
    handle?.saw([{ type: 'tool_call', data: { toolName: 'send', arguments: {}, status: 'calling' } }])
    handle?.ended(controlOutcome())
    await rounds()
    expect(kept.at(-1)).to.include({ fenceViolations: 0, kind: 'aa' })
    expect(warnings()).to.have.length(1)
  })

  it('go on when the user leaves, and are kept beside a control whose time is only known to be longer', async () => {
    for (const code of ['client_gone', 'stopped'] as const) {
      let finish = (): void => {}
      const runtime = scripted(RUNTIME, async function* (_turn, call) {
        call.onConnected()
        call.onHeaders()
        yield [text('a')]
        await new Promise<void>((resolve) => {
          finish = resolve
        })
        yield [text('b')]
      })
      const { consider, kept, rounds, dropped, runner, knobs } = shadowRig({ runtime_orchestrator: runtime })
      knobs.keepContent = true
      const handle = consider()
      await rounds()
      handle?.saw([said('half of')])
      handle?.ended(controlOutcome({ result: 'aborted', code, latencyMs: 700 }))
      handle?.ended(controlOutcome())
      handle?.left()
      await rounds()
      expect([runner.counts().running, kept.length], code).to.deep.equal([1, 0])
      finish()
      await rounds()
      expect(kept).to.have.length(1)
      expect(kept[0]?.control).to.include({ result: 'aborted', latencyMs: 700 })
      expect(kept[0]?.candidate).to.include({ result: 'ok', characters: 2 })
      expect(kept[0]).not.to.have.any.keys('textSimilarity', 'content')
      expect(dropped()).to.deep.equal({})
    }
  })

  it('are kept too when the user leaves after the candidate answered', async () => {
    const { consider, kept, rounds, dropped } = shadowRig()
    const handle = consider()
    await rounds()
    handle?.ended(controlOutcome({ result: 'aborted', code: 'client_gone' }))
    await rounds()
    expect(kept.map(({ control, candidate }) => [control.result, candidate.result])).to.deep.equal([
      ['aborted', 'ok'],
    ])
    expect(dropped()).to.deep.equal({})
  })

  describe('are dropped', () => {
    it('when the user left before the candidate began, or nothing was told of the end', async () => {
      const runtime = hanging(RUNTIME, 'a')
      const { consider, kept, rounds, dropped, runner } = shadowRig({ runtime_orchestrator: runtime })
      const queued = consider()
      queued?.ended(controlOutcome({ result: 'aborted', code: 'client_gone' }))
      await rounds()
      expect(runtime.turns).to.have.length(0)
      const unheard = consider()
      await rounds()
      expect(runner.counts().running).to.equal(1)
      unheard?.left()
      await rounds()
      expect(runner.counts().running).to.equal(0)
      expect(runner.counts().executions.runtime_orchestrator).to.include({ aborted: 1 })
      expect(dropped()).to.deep.equal({ aborted: 2 })
      expect(kept).to.have.length(0)
    })

    it('and given up when the turn was given up by anybody but its user', async () => {
      for (const code of ['shutting_down', 'superseded', 'client_too_slow'] as const) {
        const { consider, kept, rounds, dropped, runner } = shadowRig({
          runtime_orchestrator: hanging(RUNTIME, 'a'),
        })
        const handle = consider()
        await rounds()
        handle?.ended(controlOutcome({ result: 'aborted', code }))
        await rounds()
        expect(runner.counts().running, code).to.equal(0)
        expect(dropped(), code).to.deep.equal({ aborted: 1 })
        expect(kept).to.have.length(0)
      }
    })

    it('when too many run and wait, or have waited for two seconds', async () => {
      const runtime = hanging(RUNTIME, 'a')
      const { consider, rounds, dropped, runner, clock } = shadowRig(
        { runtime_orchestrator: runtime },
        { maxConcurrent: 2, maxQueue: 3 },
      )
      for (let n = 0; n < 2; n += 1) consider()
      await rounds()
      for (let n = 0; n < 5; n += 1) consider()
      await rounds()
      expect(runner.counts().running).to.equal(2)
      expect(dropped()).to.deep.equal({ busy: 2 })
      clock.advance(2000)
      expect(dropped()).to.deep.equal({ busy: 2 })
      clock.advance(250)
      expect(dropped()).to.deep.equal({ busy: 5 })
      expect(runtime.turns).to.have.length(2)
    })

    it('when too many wait for their control', async () => {
      const { consider, rounds, dropped } = shadowRig({}, { maxOpen: 3 })
      const handles = [consider(), consider(), consider()]
      await rounds()
      expect(consider()).to.equal(undefined)
      expect(dropped()).to.deep.equal({ busy: 1 })
      handles[0]?.ended(controlOutcome())
      await rounds()
      expect(consider()).not.to.equal(undefined)
    })

    it('under pressure: new and waiting ones at once, running ones when it lasts', async () => {
      const runtime = hanging(RUNTIME, 'a')
      const { consider, rounds, dropped, knobs, clock, runner } = shadowRig(
        { runtime_orchestrator: runtime },
        { maxConcurrent: 1 },
      )
      consider()
      await rounds()
      consider()
      knobs.pressure = 'some'
      expect(consider()).to.equal(undefined)
      expect(dropped()).to.deep.equal({ pressure: 1 })
      clock.advance(250)
      await rounds()
      expect(dropped()).to.deep.equal({ pressure: 2 })
      expect(runner.counts().running).to.equal(1)
      knobs.pressure = 'none'
      clock.advance(250)
      knobs.pressure = 'some'
      clock.advance(250)
      expect(dropped()).to.deep.equal({ pressure: 2 })
      clock.advance(250)
      await rounds()
      expect(dropped()).to.deep.equal({ pressure: 3 })
      expect(runner.counts().running).to.equal(0)
    })

    it('when their control is unhealthy, those of the other go on', async () => {
      const { consider, rounds, dropped, knobs, clock, runner } = shadowRig({
        direct_llm: hanging(DIRECT, 'a'),
        runtime_orchestrator: hanging(RUNTIME, 'a'),
      })
      consider(DIRECT)
      consider(RUNTIME)
      await rounds()
      knobs.sick.add(RUNTIME)
      expect(consider(RUNTIME)).to.equal(undefined)
      expect(consider(DIRECT)).not.to.equal(undefined)
      await rounds()
      clock.advance(250)
      await rounds()
      expect(dropped()).to.deep.equal({ sick: 2 })
      expect(runner.counts().running).to.equal(2)
    })

    it('and each is told with its turn, under the instant at which that began', async () => {
      const { consider, drops, rounds, runner, knobs, clock, kept } = shadowRig(
        { direct_llm: hanging(DIRECT, 'a'), runtime_orchestrator: answering(RUNTIME, 'a') },
        { maxConcurrent: 2, maxQueue: 1 },
      )
      const at = clock.wall()
      const told = { at, replica: 'replica-1', orgId: 'org-1', agentId: 'agent-1', kind: 'ab' }
      const callerOf = (orgId: string) => ({ ...sampleTurn().caller, orgId })
      knobs.sick.add(DIRECT)
      consider(DIRECT, { caller: callerOf('org-2') })
      knobs.sick.clear()
      const sick = { ...told, orgId: 'org-2', controlMode: DIRECT, reason: 'sick' }
      expect(drops).to.deep.equal([sick])
      const left = consider(RUNTIME, { caller: { ...callerOf('org-1'), agentId: 'agent-2' } })
      await rounds()
      clock.advance(100)
      left?.left()
      const aborted = { ...told, agentId: 'agent-2', controlMode: RUNTIME, reason: 'aborted' }
      expect(drops).to.deep.equal([sick, aborted])
      consider(DIRECT)?.ended(controlOutcome())
      await rounds()
      expect([kept.length, drops.length]).to.deep.equal([1, 2])
      consider(DIRECT)
      const stopping = runner.stop(0)
      consider(DIRECT)
      clock.advance(0)
      await stopping
      const draining = { ...told, at: at + 100, controlMode: DIRECT, reason: 'draining' }
      expect(drops.slice(2)).to.deep.equal([draining, draining])
    })

    it('when either side was refused for what the user sent', async () => {
      const rejected = { ...sampleOutcome({ result: 'rejected' }), mode: DIRECT } as const
      const { consider, rounds, dropped, kept } = shadowRig({
        runtime_orchestrator: scripted(RUNTIME, async function* () {
          yield []
          throw new ExecutionError('runtime_bad_request', 'headers', 'said', false, { rejected: true })
        }),
      })
      consider(DIRECT)?.ended(rejected)
      await rounds()
      expect(dropped()).to.deep.equal({ rejected: 1 })
      consider(DIRECT)?.ended(controlOutcome())
      await rounds()
      expect(dropped()).to.deep.equal({ rejected: 2 })
      expect(kept).to.have.length(0)
    })

    it('when the candidate never stops talking', async () => {
      let sent = 0
      const floods = scripted(RUNTIME, async function* () {
        for (;;) {
          sent += 1
          yield [text('x'.repeat(8192))]
        }
      })
      const { consider, rounds, dropped, runner, kept } = shadowRig({ runtime_orchestrator: floods })
      const handle = consider()
      handle?.ended(controlOutcome())
      await rounds(400)
      expect(dropped()).to.deep.equal({ flood: 1 })
      expect(runner.counts().running).to.equal(0)
      expect(sent).to.be.below(510)
      expect(kept).to.have.length(0)
    })
  })

  it('let everybody else run while the candidate floods', async () => {
    let taken = 0
    const floods = scripted(RUNTIME, async function* () {
      for (;;) {
        taken += 1
        yield [text('x')]
      }
    })
    const { consider, rounds, runner } = shadowRig({ runtime_orchestrator: floods })
    const handle = consider()
    await rounds(1)
    const before = taken
    await new Promise((resolve) => setImmediate(resolve))
    expect(taken - before).to.be.within(1, 30)
    handle?.left()
    await rounds()
    expect(runner.counts().running).to.equal(0)
  })

  it('let everybody else run while many candidates flood', async () => {
    const candidates = 16
    let taken = 0
    const floods = scripted(RUNTIME, async function* () {
      for (;;) {
        taken += 1
        yield [text('x'.repeat(16_384))]
      }
    })
    const { consider, rounds, runner } = shadowRig({ runtime_orchestrator: floods })
    const handles = Array.from({ length: candidates }, () => consider())
    await rounds(1)
    const before = taken
    for (let round = 0; round < 20; round += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(taken - before).to.be.within(10, 40)
    for (const handle of handles) handle?.left()
    await rounds(candidates)
    expect(runner.counts().running).to.equal(0)
  })

  it('keep a place until their cancel is through', async () => {
    let told = (): void => {}
    const runtime = scripted(RUNTIME, async function* (_turn, call) {
      yield [text('a')]
      call.after(
        new Promise<void>((resolve) => {
          told = resolve
        }),
      )
      throw new ExecutionError('runtime_soft_failure', 'streaming', 'no')
    })
    const { consider, rounds, kept, runner } = shadowRig(
      { runtime_orchestrator: runtime },
      { maxConcurrent: 1 },
    )
    consider()?.ended(controlOutcome())
    consider()
    await rounds()
    expect(kept).to.have.length(1)
    expect([runner.counts().running, runtime.turns.length]).to.deep.equal([1, 1])
    told()
    await rounds()
    expect(runtime.turns).to.have.length(2)
  })

  it('survive what breaks around them', async () => {
    const throws = {
      mode: RUNTIME,
      execute: () => {
        throw new TypeError('secret')
      },
    } as const
    const keepFails = shadowRig(
      {},
      {
        keep: () => {
          throw new Error('no journal')
        },
      },
    )
    keepFails.consider()?.ended(controlOutcome())
    await keepFails.rounds()
    expect(keepFails.lines.at(-1)).to.include({ msg: 'a shadow broke', error: 'no journal' })
    expect(keepFails.dropped()).to.deep.equal({ fault: 1 })
    const idsFail = shadowRig(
      {},
      {
        ids: {
          newId: () => {
            throw new Error('no ids')
          },
        },
      },
    )
    idsFail.consider()?.ended(controlOutcome())
    await idsFail.rounds()
    expect(idsFail.runner.counts()).to.include({ running: 0, compared: 0 })
    expect(idsFail.dropped()).to.deep.equal({ fault: 1 })
    const pressureFails = shadowRig(
      {},
      {
        pressure: () => {
          throw new Error('no pressure')
        },
      },
    )
    expect(pressureFails.consider()).to.equal(undefined)
    expect(pressureFails.dropped()).to.deep.equal({ fault: 1 })
    const dropFails = shadowRig(
      {},
      {
        keepDrop: () => {
          throw new Error('no journal for drops')
        },
      },
    )
    dropFails.knobs.pressure = 'some'
    expect(dropFails.consider()).to.equal(undefined)
    dropFails.knobs.pressure = 'none'
    dropFails.consider()?.left()
    expect(dropFails.dropped()).to.deep.equal({ pressure: 1, aborted: 1 })
    expect(dropFails.lines.at(-1)).to.include({ msg: 'a shadow broke', error: 'no journal for drops' })
    const backendThrows = shadowRig({ runtime_orchestrator: throws })
    backendThrows.consider()?.ended(controlOutcome())
    await backendThrows.rounds()
    expect(backendThrows.kept[0]?.candidate).to.include({ result: 'error', code: 'internal_error' })
    expect(JSON.stringify(backendThrows.lines)).not.to.contain('secret')
    for (const { runner, clock } of [keepFails, idsFail, dropFails, backendThrows]) {
      await runner.stop(0)
      expect(clock.pending()).to.equal(0)
    }
  })

  describe('stopped', () => {
    it('come to their end within the drain time, and no more begin', async () => {
      const { consider, rounds, runner, kept, dropped, clock } = shadowRig({
        runtime_orchestrator: hanging(RUNTIME, 'a'),
      })
      const handle = consider(DIRECT, {}, { ...sampleLimits, gapMs: 300 })
      await rounds()
      consider()
      let stopped = false
      const stopping = runner.stop(1000).then(() => {
        stopped = true
      })
      expect(consider()).to.equal(undefined)
      expect(dropped()).to.deep.equal({ draining: 2 })
      handle?.ended(controlOutcome())
      await rounds()
      expect(stopped).to.equal(false)
      clock.advance(300)
      await rounds()
      await stopping
      expect(kept).to.have.length(1)
      expect(clock.pending()).to.equal(0)
    })

    it('are given up when it is over', async () => {
      const { consider, rounds, runner, kept, dropped, clock } = shadowRig({
        runtime_orchestrator: hanging(RUNTIME, 'a'),
      })
      consider()
      const answered = consider(RUNTIME)
      await rounds()
      const stopping = runner.stop(1000)
      clock.advance(1000)
      await rounds()
      await stopping
      answered?.ended(controlOutcome())
      expect(dropped()).to.deep.equal({ draining: 2 })
      expect(kept).to.have.length(0)
      expect(runner.counts()).to.include({ running: 0 })
      expect(clock.pending()).to.equal(0)
    })

    it('wait no longer than a second for a backend that does not let go', async () => {
      const deaf = scripted(RUNTIME, async function* (_turn, call) {
        yield [text('a')]
        call.after(new Promise(() => {}))
        await aborted(call.signal)
        await new Promise(() => {})
      })
      const { consider, rounds, runner, clock } = shadowRig({ runtime_orchestrator: deaf })
      consider()
      await rounds()
      let stopped = false
      const stopping = runner.stop(0).then(() => {
        stopped = true
      })
      clock.advance(0)
      await rounds()
      expect(stopped).to.equal(false)
      clock.advance(900)
      await stopping
    })

    it('with nothing open, at once', async () => {
      const { runner, clock } = shadowRig()
      await runner.stop(30_000)
      expect(clock.pending()).to.equal(0)
    })
  })
})
