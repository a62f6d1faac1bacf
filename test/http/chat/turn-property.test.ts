import { expect } from 'chai'
import fc from 'fast-check'
import { systemClock } from '../../../src/core/clock.js'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import type { ExecutionMode } from '../../../src/protocol/modes.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { SessionStoreUnavailable } from '../../../src/sessions/session-store.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { chunksOf, type RawClient, rawStart } from '../../support/raw-client.js'
import { aborted, scripted } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

/** What a scripted backend does next. `act` is where the outer happening of the run takes place, if it has one. */
type Step = 'text' | 'thinking' | 'tool' | 'plan' | 'pause' | 'act'
type Ending = 'complete' | 'fail' | 'throw' | 'hang'
type Happening = 'none' | 'stop' | 'leave' | 'reset' | 'drain'

interface Plan {
  readonly steps: readonly (readonly Step[])[]
  readonly ending: Ending
}

interface Run {
  readonly mode: ExecutionMode
  readonly runtime: Plan
  readonly direct: Plan
  readonly happening: Happening
  readonly storeFails: boolean
}

const steps = fc.array(
  fc.array(fc.constantFrom<Step>('text', 'text', 'thinking', 'tool', 'plan', 'pause', 'act'), {
    maxLength: 3,
  }),
  { maxLength: 4 },
)
const plan = fc.record({ steps, ending: fc.constantFrom<Ending>('complete', 'fail', 'throw', 'hang') })
const run: fc.Arbitrary<Run> = fc.record({
  mode: fc.constantFrom<ExecutionMode>('runtime_orchestrator', 'runtime_orchestrator', 'direct_llm'),
  runtime: plan,
  direct: plan,
  happening: fc.constantFrom<Happening>('none', 'none', 'stop', 'leave', 'reset', 'drain'),
  storeFails: fc.integer({ min: 0, max: 4 }).map((roll) => roll === 0),
})

const EVENTS: Readonly<Record<Exclude<Step, 'pause' | 'act'>, BackendEvent>> = {
  text: { type: 'text', data: { content: 'ä\n' } },
  thinking: { type: 'thinking', data: { content: 'hm' } },
  tool: { type: 'tool_call', data: { toolName: 't', arguments: {}, status: 'calling' } },
  plan: { type: 'plan', data: { steps: [{ id: '1', title: 'one', status: 'pending' }], currentStep: 0 } },
}

/** The run's outer happening, once. */
function happening(which: Happening, edge: () => Edge, client: () => RawClient | undefined) {
  let done = false
  return (messageId: string): void => {
    if (done) return
    done = true
    if (which === 'stop') edge().turns.abort(messageId, 'stopped')
    if (which === 'leave') client()?.socket.end()
    if (which === 'reset') client()?.socket.resetAndDestroy()
    if (which === 'drain') void edge().turns.drain(0)
  }
}

function planned(mode: ExecutionMode, { steps, ending }: Plan, act: (messageId: string) => void) {
  return scripted(mode, async function* (turn, call) {
    call.onConnected()
    call.onHeaders()
    for (const batch of steps) {
      if (batch.includes('pause')) await new Promise((resolve) => setImmediate(resolve))
      if (batch.includes('act')) act(turn.messageId)
      yield batch.flatMap((step) => (step === 'pause' || step === 'act' ? [] : [EVENTS[step]]))
    }
    if (ending === 'fail') throw new ExecutionError('llm_error', 'streaming', 'planned')
    if (ending === 'throw') throw new TypeError('planned')
    if (ending === 'hang') {
      act(turn.messageId)
      await aborted(call.signal)
    }
  })
}

const commits = ({ steps }: Plan): boolean => steps.flat().some((step) => step === 'text' || step === 'tool')

interface Seen {
  readonly events: readonly { event: string; id: number; data: Record<string, unknown> }[]
  readonly whole: boolean
}

function seenBy(client: RawClient): Seen {
  const answer = client.received()
  const body = chunksOf(answer).join('')
  const frames = body.split('\n\n').filter((frame) => frame !== '' && !frame.startsWith(':'))
  return {
    whole: answer.endsWith('\r\n0\r\n\r\n'),
    events: frames.map((frame) => {
      const [, event = '', id = '', data = ''] = /^event: (.+)\nid: (.+)\ndata: (.+)$/.exec(frame) ?? []
      return { event, id: Number(id), data: JSON.parse(data) }
    }),
  }
}

async function play(plan: Run) {
  let client: RawClient | undefined
  const inner = createMemorySessionStore({ clock: systemClock })
  const finish = plan.storeFails
    ? () => Promise.reject(new SessionStoreUnavailable('planned'))
    : inner.finish.bind(inner)
  const act = happening(
    plan.happening,
    () => edge,
    () => client,
  )
  const edge: Edge = await startEdge({
    sessions: Object.assign(inner, { finish }),
    flags: { mode: { value: plan.mode, reason: 'default' } },
    backends: {
      runtime_orchestrator: planned('runtime_orchestrator', plan.runtime, act),
      direct_llm: planned('direct_llm', plan.direct, act),
    },
  })
  client = await rawStart(edge.port, await bearer())
  const stays = !['leave', 'reset'].includes(plan.happening)
  await until(
    'the turn to end',
    () => edge.log.some(({ msg }) => msg === 'turn ended') && edge.turns.count === 0,
  )
  if (stays) await client.waitFor('\r\n0\r\n\r\n')
  const seen = seenBy(client)
  const line = edge.log.find(({ msg }) => msg === 'turn ended')
  const endings = edge.log.filter(({ msg }) => msg === 'turn ended').length
  const { outcomes } = edge
  const open = edge.openStreams()
  client.socket.destroy()
  await edge.close()
  return { seen, line, endings, outcomes, open }
}

/** A run that would never end is made to: somebody presses stop. */
const ending = (plan: Run): Run => {
  const hangs = plan.runtime.ending === 'hang' || plan.direct.ending === 'hang'
  return hangs && plan.happening === 'none' ? { ...plan, happening: 'stop' } : plan
}

describe('any interleaving of events, faults and happenings', () => {
  it('gives a stream with ids 1…n and exactly one terminal event at its end, which does not lie', async () => {
    await fc.assert(
      fc.asyncProperty(run.map(ending), async (plan) => {
        const { seen, line, endings, outcomes, open } = await play(plan)
        const { events } = seen
        expect(events.map(({ id }) => id)).to.deep.equal(events.map((_event, index) => index + 1))
        const terminals = events.filter(({ event }) => event === 'done' || event === 'error')
        expect(terminals.length).to.equal(seen.whole ? 1 : terminals.length)
        expect(terminals.length).to.be.at.most(1)
        if (terminals[0] !== undefined) expect(events.at(-1)).to.equal(terminals[0])
        expect([endings, open]).to.deep.equal([1, 0])
        expect(outcomes.length).to.be.within(0, 2)

        const done = terminals[0]?.event === 'done' ? terminals[0].data : undefined
        if (done === undefined) return
        expect(done.history).to.equal(plan.storeFails ? 'unavailable' : undefined)
        expect(line?.outcome).to.equal(done.stopped === true ? 'stopped' : 'answered')
        if (done.stopped === true) return
        const answering = done.executionMode === 'direct_llm' ? plan.direct : plan.runtime
        expect(answering.ending).to.equal('complete')
        expect(commits(answering)).to.equal(true)
        const failedAfterCommit =
          plan.mode === 'runtime_orchestrator' && plan.runtime.ending !== 'complete' && commits(plan.runtime)
        expect(failedAfterCommit).to.equal(false)
      }),
      { numRuns: 150 },
    )
  })
})
