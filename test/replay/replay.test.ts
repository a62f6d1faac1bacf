import { expect } from 'chai'
import { createMemoryJournal } from '../../src/journal/memory/memory-journal.js'
import { REPLAY_BOUNDS, type ReplayBounds, replay } from '../../src/replay/replay.js'
import { manualClock } from '../support/manual-clock.js'
import { UNBOUNDED_RETENTION } from '../support/unbounded-retention.js'
import { recordedRun } from './recorded-run.js'

type Run = Awaited<ReturnType<typeof recordedRun>>

/** A journal with what a run leaves in it. */
function journalOf({ events, transitions }: Pick<Run, 'events' | 'transitions'>) {
  const journal = createMemoryJournal({ clock: manualClock(), retention: UNBOUNDED_RETENTION })
  for (const [seq, event] of events.entries()) {
    const sample = { at: event.at, replica: 'a', run: 'run', seq }
    if (event.kind === 'execution') {
      const { shadow, ...execution } = event.execution
      journal.keepExecution({ ...execution, ...(shadow ? { shadow } : {}) })
    } else if (event.kind === 'probe')
      journal.keepSample({ ...sample, input: { kind: 'probe', healthy: event.healthy } })
    else journal.keepSample({ ...sample, input: { kind: 'command', command: event.command } })
  }
  for (const transition of transitions) journal.keepTransition(transition)
  return journal
}

describe('a replay of the journal', () => {
  let run: Run
  const ask = (run: Run, bounds: Partial<ReplayBounds> = {}, changed = {}) =>
    replay(
      { from: run.from, to: run.to, guardrails: { ...run.guardrails, ...changed } },
      {
        journal: journalOf(run),
        clock: { monotonic: () => performance.now() },
        bounds: { ...REPLAY_BOUNDS, ...bounds },
      },
    )

  before(async function () {
    this.timeout(60_000)
    run = await recordedRun([
      { seconds: 30 },
      { seconds: 15, results: ['error'] },
      { seconds: 100 },
      { seconds: 10, healthy: false },
      { seconds: 30 },
    ])
  })

  it('tells both sides, their trips and the time they took', async () => {
    const { replayed, happened, evidence, until, partial } = await ask(run)
    const executions = run.events.filter(({ kind }) => kind === 'execution').length
    expect(evidence.executions + evidence.shadows).to.equal(executions)
    expect(evidence).to.deep.include({ probeVerdicts: 2, commands: 0 })
    expect([until, partial]).to.deep.equal([run.to, undefined])
    expect(happened.transitions.map(({ revision }) => revision)).to.deep.equal(
      run.transitions.map(({ revision }) => revision),
    )
    expect([replayed.trips, happened.trips]).to.deep.equal([2, 2])
    for (const side of [replayed, happened]) {
      const fell = side.transitions.findIndex(({ kind }) => kind === 'trip')
      const began = side.transitions.findIndex(({ kind }) => kind === 'recovery_begun')
      const firstMs = (side.transitions[began]?.at ?? 0) - (side.transitions[fell]?.at ?? 0)
      expect(side.fallbackMs).to.be.at.least(firstMs)
      expect(side.fallbackMs + side.recoveringMs).to.be.lessThan(run.to - run.from)
    }
    expect(Math.abs(replayed.fallbackMs - happened.fallbackMs)).to.be.lessThan(6_000)
  })

  it('answers of an empty journal that nothing happened', async () => {
    const { replayed, happened, evidence } = await ask({ ...run, events: [], transitions: [] })
    const nothing = { stateAtStart: 'normal', trips: 0, fallbackMs: 0, recoveringMs: 0, transitions: [] }
    expect([replayed, happened]).to.deep.equal([nothing, nothing])
    expect(evidence).to.deep.equal({ executions: 0, shadows: 0, probeVerdicts: 0, commands: 0 })
  })

  it('ends at each of its bounds and says so, both sides up to the same instant', async () => {
    const late = await ask(run, { ms: 0 })
    expect(late.partial).to.equal('time')
    expect(late.until).to.be.lessThan(run.to)
    const few = await ask(run, { executions: 200 })
    expect(few.partial).to.equal('rows')
    expect(few.happened.transitions.every(({ at }) => at <= few.until)).to.equal(true)
    const one = await ask(run, { transitions: 1 })
    expect([one.partial, one.replayed.transitions.length]).to.deep.equal(['transitions', 1])
    const observed = await ask(run, { observations: 1 })
    expect(observed.partial).to.equal('rows')
    expect(observed.until).to.be.lessThan(run.to)
  })

  it('is cut where more happened than is told, the oldest first and both sides up to the same instant', async () => {
    // Nothing is a breach for these but the probes: less is replayed than happened.
    const lenient = { errorRate: 1, timeoutRate: 1, latencyShare: 1, consecutiveFailures: 1_000 }
    const whole = await ask(run, {}, lenient)
    const most = whole.replayed.transitions.length
    expect(whole.happened.transitions.length).to.be.greaterThan(most + 1)
    const { replayed, happened, until, partial } = await ask(run, { transitions: most + 1 }, lenient)
    expect(happened.transitions).to.deep.equal(whole.happened.transitions.slice(0, most + 1))
    expect([partial, until]).to.deep.equal(['transitions', happened.transitions.at(-1)?.at])
    expect(happened.stateAtStart).to.equal('normal')
    expect(replayed.transitions).to.deep.equal(whole.replayed.transitions.filter(({ at }) => at <= until))
  })

  it('leaves what is before the span out, and knows the state it began in', async () => {
    const from = (run.transitions[0]?.at ?? 0) + 1_000
    const { replayed, happened } = await ask({ ...run, from })
    expect([replayed.stateAtStart, happened.stateAtStart]).to.deep.equal(['fallback', 'fallback'])
    expect(happened.transitions[0]?.kind).to.equal('recovery_begun')
  })
})
