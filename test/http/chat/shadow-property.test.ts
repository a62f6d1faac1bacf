import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { silentLogger } from '../../../src/core/logger.js'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import type { Outcome } from '../../../src/execution/outcome.js'
import type { Comparison } from '../../../src/journal/comparison.js'
import { createPublicWindows } from '../../../src/metrics/windows/public-windows.js'
import { EXECUTION_MODES, type ExecutionMode } from '../../../src/protocol/modes.js'
import { createShadowRunner } from '../../../src/shadow/run/shadow-runner.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { type ManualClock, manualClock } from '../../support/manual-clock.js'
import { chunksOf, rawStart } from '../../support/raw-client.js'
import { aborted, scripted } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

/** What the user's own backend does; `wait` is 7 ms of the test's clock. */
type Step = 'text' | 'thinking' | 'tool' | 'plan' | 'wait'
type Ending = 'complete' | 'fail' | 'stop' | 'leave'
interface Plan {
  readonly steps: readonly (readonly Step[])[]
  readonly ending: Ending
}

/** What is run beside it. */
const CANDIDATES = ['answers', 'fails', 'throws', 'hangs', 'floods', 'changes', 'late', 'deaf'] as const
type CandidateKind = (typeof CANDIDATES)[number]
const DOES: Readonly<Record<CandidateKind, string>> = {
  answers: 'answers',
  fails: 'fails',
  throws: 'throws what nobody expects',
  hangs: 'hangs until it is given up',
  floods: 'floods',
  changes: 'makes a file in spite of the fence',
  late: 'answers once the user is gone',
  deaf: 'hangs and hears of no end',
}
/** beside every ending with every side */
const RANDOM_RUNS = 8

interface Run {
  readonly mode: ExecutionMode
  readonly runtime: Plan
  readonly direct: Plan
  readonly candidate: CandidateKind
  readonly aaPercent: number
}

const steps = fc.array(fc.array(fc.constantFrom<Step>('text', 'text', 'thinking', 'tool', 'plan', 'wait')), {
  maxLength: 4,
})
const plan = fc.record({
  steps,
  ending: fc.constantFrom<Ending>('complete', 'complete', 'fail', 'stop', 'leave'),
})
const anyRun: fc.Arbitrary<Omit<Run, 'candidate'>> = fc.record({
  mode: fc.constantFrom<ExecutionMode>('runtime_orchestrator', 'direct_llm'),
  runtime: plan,
  direct: plan,
  aaPercent: fc.constantFrom(0, 100),
})

const SAID = 'from the control '
const EVENTS: Readonly<Record<Exclude<Step, 'wait'>, BackendEvent>> = {
  text: { type: 'text', data: { content: SAID } },
  thinking: { type: 'thinking', data: { content: 'hm' } },
  tool: { type: 'tool_call', data: { toolName: 'send', arguments: {}, status: 'calling' } },
  plan: { type: 'plan', data: { steps: [{ id: '1', title: 'one', status: 'pending' }], currentStep: 0 } },
}

function control(
  mode: ExecutionMode,
  { steps, ending }: Plan,
  clock: ManualClock,
  act: (messageId: string) => void,
) {
  return scripted(mode, async function* (turn, call) {
    if (turn.shadow === true) throw new Error('a shadow on the users’ own backend')
    call.onConnected()
    call.onHeaders()
    for (const batch of steps) {
      for (const step of batch) if (step === 'wait') clock.advance(7)
      await new Promise((resolve) => setImmediate(resolve))
      yield batch.flatMap((step) => (step === 'wait' ? [] : [EVENTS[step]]))
    }
    clock.advance(3)
    if (ending === 'fail') throw new ExecutionError('llm_error', 'streaming', 'planned')
    if (ending === 'complete') return
    act(turn.messageId)
    await aborted(call.signal)
  })
}

const silent = (content: string): BackendEvent => ({ type: 'text', data: { content: `silent ${content}` } })

function candidate(mode: ExecutionMode, kind: CandidateKind, controlOver: Promise<void>) {
  return scripted(mode, async function* (turn, call) {
    if (turn.shadow !== true) throw new Error('a user’s turn on the shadows’ backend')
    call.onConnected()
    call.onHeaders()
    if (kind === 'throws') throw new TypeError('planned')
    if (kind === 'fails') throw new ExecutionError('runtime_error', 'first_content', 'planned')
    yield [silent('beginning')]
    if (kind === 'deaf') await new Promise(() => {})
    if (kind === 'hangs') await aborted(call.signal)
    if (kind === 'late') await controlOver
    if (kind === 'changes')
      yield [{ type: 'file', data: { url: 'http://x/y', filename: 'silent', mimeType: 'text/plain' } }]
    while (kind === 'floods' && !call.signal.aborted) yield [silent('x'.repeat(1000))]
    yield [silent('end'), { type: 'usage', data: { tokens: 4242, estimated: false } }]
  })
}

/** All that anybody but an operator can see of the turn, and every window that judges the backends. */
async function play(run: Run, shadow: boolean) {
  const clock = manualClock()
  const windows = createPublicWindows(clock, { windowSeconds: 300 })
  const kept: Comparison[] = []
  const drops: unknown[] = []
  let controlIsOver = (): void => {}
  const controlOver = new Promise<void>((resolve) => {
    controlIsOver = resolve
  })
  const runner = createShadowRunner({
    backends: {
      direct_llm: candidate('direct_llm', run.candidate, controlOver),
      runtime_orchestrator: candidate('runtime_orchestrator', run.candidate, controlOver),
    },
    clock,
    logger: silentLogger,
    ids: { newId: randomUUID },
    replica: 'replica-1',
    settings: () => ({ aaPercent: run.aaPercent, keepContent: true }),
    pressure: () => 'none',
    sick: () => false,
    keep: (comparison) => kept.push(comparison),
    keepDrop: (drop) => drops.push(drop),
  })
  let leave = (): void => {}
  const acts = (plan: Plan) => (messageId: string) => {
    if (plan.ending === 'leave') leave()
    else edge.turns.abort(messageId, 'stopped')
  }
  const edge: Edge = await startEdge({
    clock,
    shadows: runner,
    realWindows: windows,
    flags: { mode: { value: run.mode, reason: 'default' }, shadow },
    backends: {
      direct_llm: control('direct_llm', run.direct, clock, acts(run.direct)),
      runtime_orchestrator: control('runtime_orchestrator', run.runtime, clock, acts(run.runtime)),
    },
  })
  const authorization = await bearer()
  const client = await rawStart(edge.port, authorization)
  leave = () => void client.socket.destroy()
  const endings = () => edge.log.filter(({ msg }) => msg === 'turn ended')
  await until('the turn to end', () => endings().length > 0 && edge.turns.count === 0)
  const left = client.closed()
  if (!left) await client.waitFor('\r\n0\r\n\r\n')
  controlIsOver()
  const running = shadow ? runner.counts() : undefined
  for (let round = 0; round < 3; round += 1) {
    clock.advance(0)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const seen = {
    // Who left has seen what the network had carried by then.
    events: left ? 'left' : eventsOf(client.received()),
    history: await historyOf(edge, String(endings()[0]?.sessionId), authorization),
    outcomes: edge.outcomes.map(ofAnySession),
    judged: edge.fallback.outcomes.map(ofAnySession),
    executed: edge.journal.executed.map((execution) => ({ ...execution, sessionId: undefined })),
    decided: edge.fallback.decided.map(({ decision }) => ({ ...decision, shadow: undefined })),
    failovers: edge.failovers,
    windows: [windows.overall('direct_llm'), windows.overall('runtime_orchestrator')],
    ofOrg: [windows.ofOrg('org-1', 'direct_llm'), windows.ofOrg('org-1', 'runtime_orchestrator')],
    lines: edge.log.map(({ msg, latencyMs, firstContentMs, tokens, outcome }) => ({
      msg,
      latencyMs,
      firstContentMs,
      tokens,
      outcome,
    })),
    open: edge.openStreams(),
  }
  client.socket.destroy()
  await edge.close()
  await stopped(runner.stop(0), clock)
  return { seen, kept, drops, running, after: runner.counts() }
}

async function stopped(stopping: Promise<void>, clock: ManualClock): Promise<void> {
  let isOver = false
  void stopping.then(() => {
    isOver = true
  })
  await until('the shadows to stop', () => {
    clock.advance(500)
    return isOver
  })
}

function eventsOf(answer: string): unknown[] {
  const frames = chunksOf(answer).join('').split('\n\n')
  return frames
    .filter((frame) => frame !== '' && !frame.startsWith(':'))
    .map((frame) => {
      const [, event = '', id = '', data = ''] = /^event: (.+)\nid: (.+)\ndata: (.+)$/.exec(frame) ?? []
      return { event, id, data: withoutIds(JSON.parse(data)) }
    })
}

/** Ids are new in each run. */
const ofAnySession = (outcome: Outcome) => ({ ...outcome, sessionId: undefined })

/** The same, and `shadow` of the decision is the one thing that is told. */
function withoutIds(data: Record<string, unknown>): Record<string, unknown> {
  const { decision, details } = data
  return {
    ...data,
    id: undefined,
    sessionId: undefined,
    messageId: undefined,
    ...(typeof decision === 'object' ? { decision: { ...decision, shadow: undefined } } : {}),
    ...(typeof details === 'object' ? { details: { ...details, callId: undefined } } : {}),
  }
}

async function historyOf(edge: Edge, sessionId: string, authorization: string): Promise<unknown> {
  const response = await fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}`, {
    headers: { authorization },
  })
  const { data }: { data: { messages: Record<string, unknown>[] } } = JSON.parse(await response.text())
  return data.messages.map((message) => ({ ...message, id: undefined, messageId: undefined }))
}

const ENDINGS: readonly Ending[] = ['complete', 'fail', 'stop', 'leave']

/** Each way of a turn to end, on each side, with the other backend and with its own as the candidate. */
function everyEnding(candidate: CandidateKind): Run[] {
  const plan = (ending: Ending): Plan => ({
    steps: [['thinking', 'wait'], ['text', 'wait', 'tool'], ['text']],
    ending,
  })
  return EXECUTION_MODES.flatMap((mode) =>
    ENDINGS.flatMap((ending) =>
      [0, 100].map((aaPercent) => ({
        mode,
        runtime: plan(ending),
        direct: plan(ending),
        candidate,
        aaPercent,
      })),
    ),
  )
}

/** UTF-16 units of text in what the user got. */
const textIn = (events: unknown[]): number => JSON.stringify(events).split(SAID).slice(1).length * SAID.length

describe('whatever a shadow does', () => {
  for (const kind of CANDIDATES)
    it(`users, history, windows and latency are the same as without it: it ${DOES[kind]}`, async () => {
      const examples = everyEnding(kind)
      const runs = anyRun.map((run) => ({ ...run, candidate: kind }))
      let begun = 0
      const property = fc.asyncProperty(runs, async (run) => {
        begun += await holds(run)
      })
      await fc.assert(property, {
        examples: examples.map((run): [Run] => [run]),
        numRuns: examples.length + RANDOM_RUNS,
      })
      // Nothing is shown by candidates that never ran.
      expect(begun).to.be.at.least(examples.length)
    })
})

/** @returns candidates begun */
async function holds(run: Run): Promise<number> {
  const without = await play(run, false)
  const beside = await play(run, true)
  expect(beside.seen).to.deep.equal(without.seen)
  expect(JSON.stringify(beside.seen)).not.to.contain('silent')
  expect([without.kept, without.drops]).to.deep.equal([[], []])
  expect(beside.after.running).to.be.at.most(run.candidate === 'deaf' ? 1 : 0)

  const { dropped, compared } = beside.after
  const drops = Object.values(dropped).reduce((sum, count) => sum + count, 0)
  expect([compared + drops, compared]).to.deep.equal([1, beside.kept.length])
  expect(beside.drops.length).to.equal(drops)
  const [first] = beside.seen.judged
  // Who left takes no candidate along that has begun; what hangs then is given up by the stop.
  if (first?.result === 'aborted')
    expect(dropped.aborted + dropped.draining + dropped.flood + compared).to.equal(1)
  for (const { control, candidate } of beside.kept) {
    expect(control).to.include({ mode: first?.mode, result: first?.result, latencyMs: first?.latencyMs })
    if (beside.seen.failovers.length === 0 && typeof beside.seen.events !== 'string')
      expect(control.characters).to.equal(textIn(beside.seen.events))
    expect(candidate.code === 'internal_error').to.equal(run.candidate === 'throws')
    expect(candidate.mode === control.mode).to.equal(run.aaPercent === 100)
  }
  return EXECUTION_MODES.flatMap((mode) => Object.values(beside.after.executions[mode])).reduce(
    (sum, count) => sum + count,
    0,
  )
}
