import { expect } from 'chai'
import fc from 'fast-check'
import type { BackendEvent } from '../../src/execution/backend.js'
import { commits } from '../../src/execution/commit-point.js'
import { ExecutionError } from '../../src/execution/execution-error.js'
import { TurnAborted, type TurnResult } from '../../src/execution/turn-result.js'
import type { MessageBody } from '../../src/protocol/events.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'
import { type Action, pull, settled, setUpTurn, type TurnUnderTest } from '../support/turn-runner.js'

const limits = { connectMs: 100, headersMs: 200, firstContentMs: 1000, gapMs: 400, totalMs: 3000 }

/** Events say who sent them: a text's first letter, a thinking's, a plan's step ids. */
function eventOf(who: string): fc.Arbitrary<BackendEvent> {
  const id = fc.constantFrom(`${who}1`, `${who}2`)
  const status = fc.constantFrom(
    'pending' as const,
    'running' as const,
    'completed' as const,
    'failed' as const,
  )
  return fc.oneof(
    { weight: 3, arbitrary: fc.constant<BackendEvent>({ type: 'thinking', data: { content: who } }) },
    { weight: 2, arbitrary: fc.constant<BackendEvent>({ type: 'text', data: { content: who } }) },
    fc.constant<BackendEvent>({ type: 'usage', data: { tokens: 1, estimated: false } }),
    fc.constant<BackendEvent>({
      type: 'tool_call',
      data: { toolName: who, arguments: {}, status: 'calling' },
    }),
    id.map<BackendEvent>((one) => ({
      type: 'plan',
      data: { steps: [{ id: one, title: who, status: 'pending' }], currentStep: 0 },
    })),
    fc.tuple(id, status, fc.boolean()).map<BackendEvent>(([stepId, stepStatus, tool]) => ({
      type: 'plan_step',
      data: { stepId, title: who, status: stepStatus, ...(tool ? { tool: 't' } : {}) },
    })),
  )
}

function actionsOf(who: string): fc.Arbitrary<Action[]> {
  const error = new ExecutionError(who === 'd' ? 'llm_error' : 'runtime_error', 'streaming', 'said')
  const action = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.array(eventOf(who), { maxLength: 3 }).map<Action>((events) => ({ do: 'send', events })),
    },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 900 }).map<Action>((ms) => ({ do: 'wait', ms })) },
    fc.constantFrom<Action>(
      { do: 'connect' },
      { do: 'headers' },
      { do: 'hang' },
      { do: 'stray' },
      { do: 'throw', error },
    ),
  )
  const head: Action[] = [{ do: 'connect' }, { do: 'headers' }]
  return fc
    .tuple(fc.boolean(), fc.array(action, { maxLength: 8 }))
    .map(([proper, actions]) => (proper ? [...head, ...actions] : actions))
}

const scenario = fc.record({
  mode: fc.constantFrom<ExecutionMode>('direct_llm', 'runtime_orchestrator'),
  runtime: actionsOf('r'),
  direct: actionsOf('d'),
  deaf: fc.boolean(),
  holds: fc.array(fc.constantFrom(0, 0, 10, 5000), { maxLength: 6 }),
  /** when the turn is given up, and whether by the signal or by the consumer's return() */
  abortAt: fc.option(fc.integer({ min: 0, max: 4000 })),
  returnAfter: fc.option(fc.integer({ min: 1, max: 4 }), { freq: 4 }),
})

/** What the client saw, and how it ended; no result where the consumer left. */
async function play(
  under: TurnUnderTest,
  holds: readonly number[],
  returnAfter: number | null,
): Promise<{ events: MessageBody[]; result: TurnResult | undefined }> {
  const events: MessageBody[] = []
  for (let n = 0; ; n += 1) {
    const next = await pull(under)
    if (next.done === true) return { events, result: next.value }
    expect(next.value.length).to.be.greaterThan(0)
    events.push(...next.value)
    under.clock.advance(holds[n] ?? 0)
    await settled()
    if (n + 1 === returnAfter) {
      await under.turn.return(undefined as never)
      return { events, result: undefined }
    }
  }
}

function sender(event: MessageBody): string {
  const [letter] = JSON.stringify(Object.values(event.data)).match(/"[rd]/) ?? []
  return letter?.slice(1) ?? ''
}

function openSteps(events: readonly MessageBody[]): string[] {
  const open = new Map<string, boolean>()
  for (const event of events) {
    if (event.type === 'plan') {
      open.clear()
      for (const step of event.data.steps) open.set(step.id, true)
    } else if (event.type === 'plan_step') {
      open.set(event.data.stepId, ['pending', 'running'].includes(event.data.status))
    }
  }
  return [...open].filter(([, isOpen]) => isOpen).map(([id]) => id)
}

describe('executeTurn, whatever happens', () => {
  it('ends exactly once and tells the truth', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ mode, runtime, direct, deaf, holds, abortAt, returnAfter }) => {
        const under = setUpTurn({ mode, runtime, direct, deaf, limits })
        if (abortAt !== null) {
          under.clock.schedule(abortAt, () => under.controller.abort(new TurnAborted('stopped')))
        }
        const { events, result } = await play(under, holds, returnAfter)

        // Nothing after the end.
        expect(await under.turn.next()).to.deep.equal({ done: true, value: undefined })

        // One outcome for each execution started, at most one execution each.
        const started = [...under.runtime.calls, ...under.direct.calls]
        expect(under.runtime.calls.length).to.be.at.most(1)
        expect(under.direct.calls.length).to.be.at.most(1)
        expect(under.outcomes.length).to.equal(started.length)

        // Every execution not ended by itself was given up.
        const last = under.outcomes.at(-1)
        if (last?.result === 'aborted') expect(started.at(-1)?.signal.aborted).to.equal(true)

        // No failover after the commit point, and the plan is closed before the direct LLM speaks.
        const fromRuntime = events.filter((event) => sender(event) === 'r')
        const firstDirect = events.findIndex((event) => sender(event) === 'd')
        if (mode === 'runtime_orchestrator' && under.direct.calls.length > 0) {
          expect(fromRuntime.some(commits)).to.equal(false)
          expect(openSteps(fromRuntime)).to.deep.equal([])
          expect(under.outcomes[0]?.result).to.be.oneOf(['error', 'timeout'])
        }
        if (firstDirect >= 0) {
          expect(events.slice(firstDirect).every((event) => sender(event) === 'd')).to.equal(true)
        }

        if (result === undefined) return
        if (result.kind === 'answered') {
          expect(last).to.include({ result: 'ok', mode: result.executionMode })
          const letter = result.executionMode === 'direct_llm' ? 'd' : 'r'
          expect(events.some((event) => sender(event) === letter && commits(event))).to.equal(true)
        }
        if (result.kind === 'failed') {
          expect(last).to.include({ code: result.code, phase: result.phase, mode: result.executionMode })
          expect(last?.result).to.be.oneOf(['error', 'timeout'])
          if (result.phase === 'streaming') expect(events.some(commits)).to.equal(true)
          expect(result.runtime !== undefined).to.equal(started.length === 2)
        }
        if (result.kind === 'aborted') expect(under.controller.signal.aborted).to.equal(true)
        if (result.failover !== undefined) expect(result.executionMode).to.equal('direct_llm')

        // The total binds the time spent waiting, not the time the consumer held us.
        const waited = under.outcomes.reduce((sum, outcome) => sum + outcome.latencyMs, 0)
        expect(waited).to.be.at.most(limits.totalMs)

        // What is left behind ends within its bound (a deaf backend may still wait for its own timers).
        under.clock.advance(1000)
        await settled()
        await Promise.all(under.tasks)
        for (let n = 0; n < 10 && under.clock.step(); n += 1) await settled()
        expect(under.clock.pending()).to.equal(0)
      }),
      { numRuns: 400 },
    )
  })
})
