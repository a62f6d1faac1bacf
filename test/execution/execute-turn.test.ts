import { expect } from 'chai'
import { ExecutionError } from '../../src/execution/execution-error.js'
import { TurnAborted } from '../../src/execution/turn-result.js'
import type { MessageBody } from '../../src/protocol/events.js'
import type { AbortCode } from '../../src/protocol/execution-codes.js'
import { text } from '../support/scripted-backend.js'
import { type Action, pull, runTurn, settled, setUpTurn, type TurnSetup } from '../support/turn-runner.js'

const head: Action[] = [{ do: 'connect' }, { do: 'headers' }]
const send = (...events: Parameters<typeof text>[0][]): Action => ({ do: 'send', events: events.map(text) })
const wait = (ms: number): Action => ({ do: 'wait', ms })
const hang: Action = { do: 'hang' }
const fails = (code: 'runtime_unreachable' | 'runtime_error' | 'llm_http_error'): Action => ({
  do: 'throw',
  error: new ExecutionError(code, 'headers', 'said', false, { httpStatus: 502 }),
})
const thinking: Action = { do: 'send', events: [{ type: 'thinking', data: { content: 'hm' } }] }
const good: Action[] = [...head, send('ok')]

describe('executeTurn', () => {
  const working: Action = {
    do: 'send',
    events: [
      { type: 'plan', data: { steps: [{ id: 'a', title: 'A', status: 'pending' }], currentStep: 0 } },
      { type: 'tool_call', data: { toolName: 'done', arguments: {}, status: 'calling' } },
      { type: 'tool_result', data: { toolName: 'done', result: 1, success: true } },
      { type: 'tool_call', data: { toolName: 'open', arguments: {}, status: 'calling' } },
    ],
  }
  const closing = [
    {
      type: 'tool_result',
      data: { toolName: 'open', result: null, success: false, error: 'interrupted' },
    },
    { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'skipped' } },
  ]

  it('tells what closes the open steps and calls after an error inside a tool', async () => {
    const { result } = await runTurn(setUpTurn({ runtime: [...head, working, fails('runtime_error')] }))
    expect(result).to.deep.include({ kind: 'failed', closing })
  })

  it('records what an upstream refused for the message as rejected, and shows its code', async () => {
    const rejects: Action = {
      do: 'throw',
      error: new ExecutionError('llm_bad_request', 'headers', 'said', false, { rejected: true }),
    }
    const under = setUpTurn({ runtime: [...head, fails('runtime_error')], direct: [rejects] })
    const { result } = await runTurn(under)
    expect(result).to.include({ kind: 'failed', code: 'llm_bad_request', executionMode: 'direct_llm' })
    expect(under.outcomes.map((outcome) => outcome.result)).to.deep.equal(['error', 'rejected'])
  })

  it('ends as it does, whoever throws at its outcome: answered, failed over, given up at a deadline', async () => {
    const record = () => {
      throw new Error('observer broke')
    }
    for (const runtime of [good, [...head, fails('runtime_error')], [...head, hang]]) {
      const under = setUpTurn({ runtime, direct: good, record })
      const { result } = await runTurn(under)
      expect(result.kind).to.equal('answered')
      const told = under.lines.filter(({ observer }) => observer === 'record')
      expect(told).to.have.length(runtime === good ? 1 : 2)
    }
  })

  it('does not fail over once work began that could not be shown', async () => {
    const unread: Action = { do: 'send', events: [{ type: 'committed', data: null }] }
    const { events, result } = await runTurn(
      setUpTurn({ runtime: [...head, unread, fails('runtime_error')] }),
    )
    expect(events).to.deep.equal([])
    expect(result).to.include({ kind: 'failed', executionMode: 'runtime_orchestrator' })
  })

  it('answers on the backend of its mode', async () => {
    const under = setUpTurn({ runtime: [...head, send('a'), wait(50), send('b')] })
    const { events, result } = await runTurn(under)
    expect(events).to.deep.equal([text('a'), text('b')])
    expect(result).to.deep.equal({
      kind: 'answered',
      executionMode: 'runtime_orchestrator',
      usage: { tokens: 3, estimated: true, promptTokens: 2, completionTokens: 1 },
      facts: { attempts: 1 },
    })
    expect(under.outcomes).to.deep.equal([
      {
        result: 'ok',
        mode: 'runtime_orchestrator',
        orgId: 'org-1',
        agentId: 'agent-1',
        sessionId: 'session-1',
        startedAt: 0,
        latencyMs: 50,
        firstContentMs: 0,
      },
    ])
    expect(under.direct.calls).to.have.length(0)
    expect(under.clock.pending()).to.equal(0)
  })

  it('keeps usage to itself', async () => {
    const usage: Action = {
      do: 'send',
      events: [text('x'), { type: 'usage', data: { tokens: 9, estimated: false } }],
    }
    const under = setUpTurn({ mode: 'direct_llm', direct: [...head, usage] })
    const { events, result } = await runTurn(under)
    expect(events).to.deep.equal([text('x')])
    expect(result).to.deep.include({ usage: { tokens: 9, estimated: false } })
    expect(under.outcomes[0]).to.include({ tokens: 9 })
  })

  it('lets no deadline strike once the answer is complete and only its count is waited for', async () => {
    const direct = [...head, send('x'), { do: 'complete' } as const, wait(1000)]
    const under = setUpTurn({ mode: 'direct_llm', direct, limits: { gapMs: 300, totalMs: 500 } })
    const { result } = await runTurn(under)
    expect([result.kind, under.outcomes[0]?.result]).to.deep.equal(['answered', 'ok'])
    expect(under.clock.pending()).to.equal(0)
  })

  it('says that it failed over when it is stopped before the direct LLM began', async () => {
    const plan: Action = {
      do: 'send',
      events: [
        { type: 'plan', data: { steps: [{ id: 'a', title: 'A', status: 'pending' }], currentStep: 0 } },
      ],
    }
    const under = setUpTurn({ runtime: [...head, plan, fails('runtime_error')], direct: good })
    await pull(under)
    expect((await pull(under)).value).to.deep.equal([
      { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'skipped' } },
    ])
    under.controller.abort(new TurnAborted('stopped'))
    const { result } = await runTurn(under)
    expect(result).to.deep.include({ kind: 'aborted', code: 'stopped' })
    expect(result).to.have.nested.property('failover.cause', 'runtime_error')
    expect(under.direct.calls).to.have.length(0)
  })

  it('fails over to the direct LLM, closes open plan steps and says so', async () => {
    const plan: Action = {
      do: 'send',
      events: [
        {
          type: 'plan',
          data: {
            steps: ['a', 'b', 'c'].map((id) => ({ id, title: id.toUpperCase(), status: 'pending' as const })),
            currentStep: 0,
          },
        },
        { type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'completed' } },
        { type: 'plan_step', data: { stepId: 'b', title: 'B', status: 'running' } },
      ],
    }
    const under = setUpTurn({ runtime: [...head, plan, wait(1200), fails('runtime_error')], direct: good })
    const { events, result } = await runTurn(under)
    expect(events.slice(3)).to.deep.equal([
      { type: 'plan_step', data: { stepId: 'b', title: 'B', status: 'skipped' } },
      { type: 'plan_step', data: { stepId: 'c', title: 'C', status: 'skipped' } },
      text('ok'),
    ])
    const failover = { from: 'runtime_orchestrator', cause: 'runtime_error', phase: 'headers', afterMs: 1200 }
    expect(result).to.deep.include({ kind: 'answered', executionMode: 'direct_llm', failover })
    expect(under.outcomes.map(({ mode, result }) => [mode, result])).to.deep.equal([
      ['runtime_orchestrator', 'error'],
      ['direct_llm', 'ok'],
    ])
    const line = under.lines.find(({ msg }) => msg === '[Chat] 自动回退到 direct 模式')
    expect(line).to.include({
      requestId: 'request-1',
      sessionId: 'session-1',
      cause: 'runtime_error',
      phase: 'headers',
      afterMs: 1200,
    })
  })

  it('fails over after white space, which nobody reads as an answer', async () => {
    const under = setUpTurn({ runtime: [...head, send('\n\n', ' '), fails('runtime_error')], direct: good })
    const { events, result } = await runTurn(under)
    expect(events).to.deep.equal([text('\n\n'), text(' '), text('ok')])
    expect(result).to.deep.include({ kind: 'answered', executionMode: 'direct_llm' })
  })

  it('takes white space alone for no answer', async () => {
    const under = setUpTurn({ runtime: [...head, send('\n')], direct: [...head, send('\n\n', '\u200b')] })
    const { result } = await runTurn(under)
    expect(result).to.deep.include({ kind: 'failed', code: 'empty_answer', executionMode: 'direct_llm' })
  })

  it('holds deadlines against text that goes on after the answer seemed complete', async () => {
    const goesOn: Action[] = [...head, send('a'), { do: 'complete' }, send('b'), hang]
    const { result } = await runTurn(setUpTurn({ runtime: goesOn }))
    expect(result).to.deep.include({ kind: 'failed', code: 'gap_timeout' })
  })

  it('does not fail over after the commit point', async () => {
    const under = setUpTurn({ runtime: [...good, fails('runtime_error')], direct: good })
    const { events, result } = await runTurn(under)
    expect(events).to.deep.equal([text('ok')])
    expect(result).to.deep.equal({
      kind: 'failed',
      executionMode: 'runtime_orchestrator',
      code: 'runtime_error',
      phase: 'streaming',
      details: { httpStatus: 502 },
    })
    expect(under.direct.calls).to.have.length(0)
    const logged = { mode: 'runtime_orchestrator', code: 'runtime_error', httpStatus: 502, detail: 'said' }
    expect(under.lines.at(-1)).to.include(logged)
  })

  it('does not fail over from the direct LLM', async () => {
    const under = setUpTurn({ mode: 'direct_llm', direct: [fails('llm_http_error')], runtime: good })
    const { result } = await runTurn(under)
    expect(result).to.deep.include({ kind: 'failed', executionMode: 'direct_llm', code: 'llm_http_error' })
    expect(result).not.to.have.any.keys('runtime', 'failover')
    expect(under.runtime.calls).to.have.length(0)
  })

  it('says both failures when both fail', async () => {
    const under = setUpTurn({ runtime: [fails('runtime_unreachable')], direct: [fails('llm_http_error')] })
    const { result } = await runTurn(under)
    expect(result).to.deep.include({
      kind: 'failed',
      executionMode: 'direct_llm',
      code: 'llm_http_error',
      runtime: { code: 'runtime_unreachable', phase: 'headers' },
    })
    expect(under.outcomes).to.have.length(2)
  })

  it('takes an end with nothing committed for empty_answer', async () => {
    const under = setUpTurn({ runtime: [...head, thinking], direct: head })
    const { result } = await runTurn(under)
    expect(result).to.deep.include({
      code: 'empty_answer',
      phase: 'first_content',
      runtime: { code: 'empty_answer', phase: 'first_content' },
    })
  })

  it('takes anything else that is thrown for internal_error, and keeps its text out of the log', async () => {
    const under = setUpTurn({ mode: 'direct_llm', direct: [...head, { do: 'stray' }] })
    const { result } = await runTurn(under)
    expect(result).to.deep.include({ code: 'internal_error', phase: 'first_content' })
    expect(JSON.stringify(under.lines)).to.contain('TypeError').and.not.to.contain('secret')
  })

  describe('deadlines', () => {
    const limits = { connectMs: 100, headersMs: 200, firstContentMs: 1000, gapMs: 400, totalMs: 5000 }
    const thinkingOn = Array.from({ length: 9 }, () => [wait(300), thinking]).flat()
    const cases: [string, Action[], string, string, number][] = [
      ['no connection', [hang], 'connect_timeout', 'connect', 800],
      ['no head', [{ do: 'connect' }, hang], 'headers_timeout', 'headers', 800],
      [
        'no content',
        [{ do: 'connect' }, wait(50), { do: 'headers' }, hang],
        'first_content_timeout',
        'first_content',
        1050,
      ],
      ['thinking that stops', [...head, ...thinkingOn, hang], 'gap_timeout', 'first_content', 3100],
      [
        'a gap before the commit point',
        [...head, wait(100), thinking, hang],
        'gap_timeout',
        'first_content',
        500,
      ],
      [
        'a gap after it',
        [...head, wait(700), send('a'), wait(300), send('b'), hang],
        'gap_timeout',
        'streaming',
        1400,
      ],
    ]
    for (const [what, actions, code, phase, at] of cases) {
      it(`ends with ${code} at ${at} ms: ${what}`, async () => {
        const under = setUpTurn({ mode: 'direct_llm', direct: actions, limits })
        const { result, endedAt } = await runTurn(under)
        expect(result).to.deep.include({ kind: 'failed', code, phase })
        expect(endedAt).to.equal(at)
        expect(under.outcomes[0]).to.include({ result: 'timeout', code, phase, latencyMs: at })
      })
    }

    it('of the first content wait for a direct LLM that thinks, and not for a runtime', async () => {
      const actions = [...head, ...thinkingOn, send('a')]
      const direct = setUpTurn({ mode: 'direct_llm', direct: actions, limits })
      expect((await runTurn(direct)).result.kind).to.equal('answered')
      const runtime = setUpTurn({ runtime: actions, direct: good, limits })
      const { result } = await runTurn(runtime)
      expect(result.failover).to.include({ cause: 'first_content_timeout', afterMs: 1000 })
    })

    it('of the direct LLM are its own where it has some', async () => {
      const llm = { connectMs: 100, headersMs: 2000, firstContentMs: 3000, gapMs: 4000 }
      const slow = [{ do: 'connect' } as const, wait(1900), { do: 'headers' } as const, wait(2900), send('a')]
      const under = setUpTurn({ mode: 'direct_llm', direct: slow, limits: { ...limits, llm } })
      expect((await runTurn(under)).result.kind).to.equal('answered')
      const after = setUpTurn({
        runtime: [...head, hang],
        direct: [...head, hang],
        limits: { ...limits, llm },
      })
      const { result, endedAt } = await runTurn(after)
      expect(result).to.deep.include({ code: 'first_content_timeout' })
      expect(endedAt).to.equal(4000)
      expect(after.direct.calls[0]).to.include({ connectMs: 100, headersMs: 2000 })
    })

    it('bind the whole turn by the total', async () => {
      const chatter = Array.from({ length: 60 }, () => [send('a'), wait(100)]).flat()
      const under = setUpTurn({ mode: 'direct_llm', direct: [...head, ...chatter], limits })
      const { result, endedAt } = await runTurn(under)
      expect(result).to.deep.include({ code: 'total_timeout', phase: 'streaming' })
      expect(endedAt).to.equal(5000)
    })

    it('start afresh at a failover, but for the total', async () => {
      const under = setUpTurn({
        runtime: [...head, hang],
        direct: [
          ...head,
          wait(900),
          send('a'),
          ...Array.from({ length: 60 }, () => [wait(300), send('b')]).flat(),
        ],
        limits,
      })
      const { result, endedAt } = await runTurn(under)
      expect(result).to.deep.include({
        executionMode: 'direct_llm',
        code: 'total_timeout',
        runtime: { code: 'first_content_timeout', phase: 'first_content' },
      })
      expect(endedAt).to.equal(5000)
      expect(under.outcomes.map(({ startedAt, latencyMs }) => [startedAt, latencyMs])).to.deep.equal([
        [0, 1000],
        [1000, 4000],
      ])
    })

    it('leave the direct LLM its share of the total before the commit point', async () => {
      const tight = { ...limits, firstContentMs: 3000, totalMs: 4000, gapMs: 10_000 }
      const under = setUpTurn({ runtime: [...head, hang], direct: good, limits: tight })
      const { result } = await runTurn(under)
      expect(result).to.deep.include({
        kind: 'answered',
        failover: {
          from: 'runtime_orchestrator',
          cause: 'total_timeout',
          phase: 'first_content',
          afterMs: 1000,
        },
      })
    })

    it('stand still while the consumer holds a batch', async () => {
      const under = setUpTurn({
        mode: 'direct_llm',
        direct: [...head, send('a'), wait(300), send('b'), wait(300), send('c')],
        limits,
      })
      const { events, result, endedAt } = await runTurn(under, [20_000, 20_000])
      expect(events).to.have.length(3)
      expect(result.kind).to.equal('answered')
      expect(under.outcomes[0]?.latencyMs).to.be.within(0, 600)
      expect(endedAt).to.be.at.least(40_000)
    })

    it('keep no timer while the consumer holds a batch', async () => {
      const under = setUpTurn({ mode: 'direct_llm', direct: [...head, send('a'), hang], limits })
      await pull(under)
      under.clock.advance(limits.totalMs)
      expect(under.clock.pending()).to.equal(0)
      under.controller.abort()
      await runTurn(under)
    })

    it('go on where they stood after a pause', async () => {
      const under = setUpTurn({ mode: 'direct_llm', direct: [...head, send('a'), hang], limits })
      const { result, endedAt } = await runTurn(under, [10_000])
      expect(result).to.deep.include({ code: 'gap_timeout' })
      expect(endedAt).to.equal(10_400)
      expect(under.outcomes[0]).to.include({ latencyMs: 400 })
    })

    it('take an empty batch for a sign of life, and pass nothing on', async () => {
      const held: Action = { do: 'send', events: [] }
      const under = setUpTurn({
        mode: 'direct_llm',
        direct: [...head, held, wait(300), held, wait(300), send('a')],
        limits,
      })
      expect((await runTurn(under)).events).to.deep.equal([text('a')])
    })
  })

  describe('given up', () => {
    it('ends a waiting pull at once and aborts the upstream', async () => {
      const under = setUpTurn({ runtime: [...good, hang], direct: good })
      await pull(under)
      const next = under.turn.next()
      under.controller.abort(new TurnAborted('stopped'))
      expect(under.runtime.calls[0]?.signal.aborted).to.equal(true)
      expect(await next).to.deep.include({ done: true })
      expect((await next).value).to.deep.include({ kind: 'aborted', code: 'stopped' })
      expect(under.outcomes).to.have.length(1)
      expect(under.outcomes[0]).to.include({ result: 'aborted', code: 'stopped' })
      expect(under.direct.calls).to.have.length(0)
      await Promise.all(under.tasks)
      expect(under.clock.pending()).to.equal(0)
    })

    it('aborts the upstream while the consumer holds a batch', async () => {
      const under = setUpTurn({ runtime: [...good, hang] })
      await pull(under)
      under.controller.abort(new TurnAborted('client_too_slow'))
      expect(under.runtime.calls[0]?.signal.aborted).to.equal(true)
      expect(under.outcomes).to.have.length(1)
      expect((await under.turn.next()).value).to.deep.include({ kind: 'aborted', code: 'client_too_slow' })
    })

    it('takes a reason it does not know for client_gone', async () => {
      const under = setUpTurn({ runtime: [hang] })
      const next = under.turn.next()
      under.controller.abort()
      expect((await next).value).to.deep.include({ kind: 'aborted', code: 'client_gone' })
    })

    describe('that the override took to a direct LLM which fails', () => {
      const REFUSED = fails('llm_http_error')
      const mayReturn = () => true

      it('goes to the runtime in the same stream', async () => {
        const under = setUpTurn({
          mode: 'direct_llm',
          direct: [...head, wait(40), REFUSED],
          runtime: [...head, send('from the runtime')],
          mayReturn,
        })
        const { events, result } = await runTurn(under)
        expect(events).to.deep.equal([text('from the runtime')])
        expect(result).to.deep.include({ kind: 'answered', executionMode: 'runtime_orchestrator' })
        expect(result.failover).to.deep.equal({
          from: 'direct_llm',
          cause: 'llm_http_error',
          phase: 'headers',
          afterMs: 40,
        })
        expect(under.outcomes.map(({ mode, result: one }) => [mode, one])).to.deep.equal([
          ['direct_llm', 'error'],
          ['runtime_orchestrator', 'ok'],
        ])
        expect(under.lines[0]?.msg).to.equal('[Chat] direct 失败，改由 Runtime 回答')
      })

      it("does so once: both failures are told, the direct LLM's first", async () => {
        const under = setUpTurn({
          mode: 'direct_llm',
          direct: [...head, REFUSED],
          runtime: [...head, fails('runtime_error')],
          mayReturn,
        })
        const { result } = await runTurn(under)
        expect(result).to.deep.include({
          kind: 'failed',
          executionMode: 'direct_llm',
          code: 'llm_http_error',
          phase: 'headers',
          runtime: { code: 'runtime_error', phase: 'headers' },
        })
        expect([under.direct.calls.length, under.runtime.calls.length]).to.deep.equal([1, 1])
      })

      it('tells the failure of the runtime alone where that had begun to answer', async () => {
        const { result } = await runTurn(
          setUpTurn({
            mode: 'direct_llm',
            direct: [...head, REFUSED],
            runtime: [...head, send('half'), fails('runtime_error')],
            mayReturn,
          }),
        )
        expect(result).to.deep.include({ executionMode: 'runtime_orchestrator', code: 'runtime_error' })
        expect(result).not.to.have.property('runtime')
      })

      it('stays where the runtime is not well, asked when it failed', async () => {
        let asked = 0
        const under = setUpTurn({
          mode: 'direct_llm',
          direct: [...head, REFUSED],
          runtime: good,
          mayReturn: () => {
            asked += 1
            return false
          },
        })
        const { result } = await runTurn(under)
        expect(result).to.deep.include({
          kind: 'failed',
          executionMode: 'direct_llm',
          code: 'llm_http_error',
        })
        expect([asked, under.runtime.calls.length]).to.deep.equal([1, 0])
      })

      it('stays after its commit point, after a refusal of what the user sent, and where nobody said it may', async () => {
        const rejected: Action = {
          do: 'throw',
          error: new ExecutionError('llm_content_filtered', 'headers', 'no', false, { rejected: true }),
        }
        for (const setup of [
          { direct: [...head, send('a'), REFUSED], mayReturn },
          { direct: [...head, rejected], mayReturn },
          { direct: [...head, REFUSED] },
        ]) {
          const under = setUpTurn({ mode: 'direct_llm', runtime: good, ...setup })
          expect((await runTurn(under)).result.kind).to.equal('failed')
          expect(under.runtime.calls).to.have.length(0)
        }
      })

      it('never comes back to the direct LLM that took over from the runtime', async () => {
        const under = setUpTurn({
          runtime: [...head, fails('runtime_error')],
          direct: [...head, REFUSED],
          mayReturn,
        })
        const { result } = await runTurn(under)
        expect(result).to.deep.include({
          kind: 'failed',
          executionMode: 'direct_llm',
          code: 'llm_http_error',
        })
        expect(under.runtime.calls).to.have.length(1)
      })

      it('waits for the runtime to the end, though it is lost meanwhile: nobody else is left', async () => {
        const under = setUpTurn({
          mode: 'direct_llm',
          direct: [...head, REFUSED],
          runtime: [...head, wait(50), send('late')],
          mayReturn,
        })
        const next = pull(under)
        await settled()
        under.loseRuntime()
        expect((await next).value).to.deep.equal([text('late')])
      })
    })

    describe('on a runtime that is lost', () => {
      const lose = async (setup: TurnSetup) => {
        const under = setUpTurn({ direct: [...head, send('direct')], ...setup })
        const next = under.turn.next()
        await settled()
        under.clock.advance(700)
        under.loseRuntime()
        const events = [...((await next).value as MessageBody[])]
        return { under, events }
      }

      it('fails over at once, in the phase it was in', async () => {
        for (const [runtime, phase] of [
          [[hang], 'connect'],
          [[{ do: 'connect' }, hang], 'headers'],
          [[...head, hang], 'first_content'],
        ] as const) {
          const { under, events } = await lose({ runtime })
          expect(events).to.deep.equal([text('direct')])
          const { result } = await runTurn(under)
          expect(result).to.deep.include({ kind: 'answered', executionMode: 'direct_llm' })
          expect(result.failover).to.deep.equal({
            from: 'runtime_orchestrator',
            cause: 'runtime_unavailable',
            phase,
            afterMs: 700,
          })
          expect(under.outcomes[0]).to.include({ result: 'error', code: 'runtime_unavailable', phase })
          expect(under.listening()).to.equal(0)
        }
      })

      it('goes on after its commit point', async () => {
        const under = setUpTurn({ runtime: [...head, send('a'), wait(10), send('b')] })
        await pull(under)
        under.loseRuntime()
        const { events, result } = await runTurn(under)
        expect(events).to.deep.equal([text('b')])
        expect(result).to.include({ kind: 'answered', executionMode: 'runtime_orchestrator' })
      })

      it('is left alone on the direct LLM', async () => {
        const under = setUpTurn({ mode: 'direct_llm', direct: [...head, wait(10), send('a')] })
        const next = pull(under)
        await settled()
        under.loseRuntime()
        expect((await next).value).to.deep.equal([text('a')])
      })
    })

    describe('left by its user before the commit point', () => {
      const left = async (setup: TurnSetup, afterMs: number, code: AbortCode = 'client_gone') => {
        const under = setUpTurn({ limits: { abandonAfterMs: 3000 }, ...setup })
        const next = under.turn.next()
        await settled()
        under.clock.advance(afterMs)
        await settled()
        under.controller.abort(new TurnAborted(code))
        await next
        return under.outcomes.map(({ result, abandoned }) => ({ result, abandoned }))
      }

      it('after waiting for long, was abandoned, wherever it was', async () => {
        const aborted = { result: 'aborted' } as const
        expect(await left({ runtime: [hang] }, 3001)).to.deep.equal([{ ...aborted, abandoned: 'connect' }])
        expect(await left({ runtime: [...head, hang] }, 3001)).to.deep.equal([
          { ...aborted, abandoned: 'first_content' },
        ])
      })

      it('sooner, or by stop, or by us, was not', async () => {
        const plain = [{ result: 'aborted', abandoned: undefined }]
        expect(await left({ runtime: [...head, hang] }, 3000)).to.deep.equal(plain)
        expect(await left({ runtime: [...head, hang] }, 9000, 'stopped')).to.deep.equal(plain)
        expect(await left({ runtime: [...head, hang] }, 9000, 'shutting_down')).to.deep.equal(plain)
        expect(await left({ runtime: [...head, hang], limits: {} }, 9000)).to.deep.equal(plain)
      })

      it('after a failover, blames the direct LLM only for its own part of the wait', async () => {
        const setup = {
          runtime: [...head, hang],
          direct: [...head, hang],
          limits: { abandonAfterMs: 3000, firstContentMs: 5000 },
        }
        const ends = await left(setup, 5500)
        expect(ends.map(({ result }) => result)).to.deep.equal(['timeout', 'aborted'])
        expect(ends[1]?.abandoned).to.equal(undefined)
      })
    })

    it('after the commit point is aborted, however long it was waited for', async () => {
      const under = setUpTurn({ runtime: [...good, hang], limits: { abandonAfterMs: 1 } })
      await pull(under)
      const next = under.turn.next()
      under.clock.advance(50)
      under.controller.abort(new TurnAborted('client_gone'))
      await next
      expect(under.outcomes[0]).to.include({ result: 'aborted' })
      expect(under.outcomes[0]).not.to.have.property('abandoned')
    })

    it('starts nothing when it was aborted before', async () => {
      const under = setUpTurn({ runtime: good })
      under.controller.abort(new TurnAborted('shutting_down'))
      expect((await under.turn.next()).value).to.deep.include({ kind: 'aborted', code: 'shutting_down' })
      expect(under.runtime.calls).to.have.length(0)
      expect(under.outcomes).to.have.length(0)
    })

    it('frees everything by return()', async () => {
      const under = setUpTurn({ runtime: [...good, hang] })
      await pull(under)
      await under.turn.return(undefined as never)
      expect(under.runtime.calls[0]?.signal.aborted).to.equal(true)
      expect(under.outcomes.map((outcome) => outcome.result === 'aborted' && outcome.code)).to.deep.equal([
        'client_gone',
      ])
      await Promise.all(under.tasks)
      expect(under.clock.pending()).to.equal(0)
    })

    it('does not fail over when the reader left during the closing of the plan', async () => {
      const plan: Action = {
        do: 'send',
        events: [{ type: 'plan_step', data: { stepId: 'a', title: 'A', status: 'running' } }],
      }
      const under = setUpTurn({ runtime: [...head, plan, fails('runtime_error')], direct: good })
      await pull(under)
      await pull(under)
      under.controller.abort(new TurnAborted('client_gone'))
      expect((await under.turn.next()).value).to.deep.include({ kind: 'aborted', code: 'client_gone' })
      expect(under.direct.calls).to.have.length(0)
    })

    it('is not hung by a backend that does not end', async () => {
      const under = setUpTurn({
        runtime: [...head, hang],
        direct: good,
        deaf: true,
        limits: { firstContentMs: 100 },
      })
      const { result } = await runTurn(under)
      expect(result).to.deep.include({ kind: 'answered', executionMode: 'direct_llm' })
      let freed = false
      void Promise.all(under.tasks).then(() => {
        freed = true
      })
      under.clock.advance(999)
      await settled()
      expect(freed).to.equal(false)
      under.clock.advance(1)
      await settled()
      expect(freed).to.equal(true)
    })

    it('waits for what the backend leaves behind, bounded, and without delaying the end', async () => {
      const under = setUpTurn({ runtime: [...good, hang] })
      await pull(under)
      let cancelled: () => void = () => {}
      under.runtime.calls[0]?.after(new Promise<void>((resolve) => (cancelled = resolve)))
      under.controller.abort(new TurnAborted('client_gone'))
      expect((await under.turn.next()).done).to.equal(true)
      let freed = false
      void Promise.all(under.tasks).then(() => {
        freed = true
      })
      await settled()
      expect(freed).to.equal(false)
      cancelled()
      await settled()
      expect(freed).to.equal(true)
    })
  })
})
