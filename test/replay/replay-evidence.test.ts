import { expect } from 'chai'
import type { LoopGuardrails } from '../../src/fallback/loop/running-fallback.js'
import { type ReplayEvent, type ReplayOptions, replayEvidence } from '../../src/replay/replay-evidence.js'
import { inPages, recordedRun } from './recorded-run.js'

const settle = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))

type Run = Awaited<ReturnType<typeof recordedRun>>

const replayed = (
  { from, to, guardrails, events }: Pick<Run, 'from' | 'to' | 'guardrails' | 'events'>,
  changed: Partial<LoopGuardrails> = {},
  more: Partial<ReplayOptions> = {},
) =>
  replayEvidence(inPages(events), {
    from,
    reportFrom: from,
    to,
    guardrails: { ...guardrails, ...changed },
    maxTransitions: 1000,
    settle,
    isOver: () => false,
    ...more,
  })

/** ms: a tick or two, and what chance adds to a hold of 30 s and of 60 s */
const TOLERANCE_MS = 2_000 + 4_500

describe('a replay of kept evidence', function () {
  this.timeout(60_000)
  let run: Run

  before(async () => {
    run = await recordedRun([
      { seconds: 60 },
      { seconds: 20, results: ['ok', 'error', 'error', 'timeout'] },
      { seconds: 150 },
      { seconds: 15, healthy: false, results: ['error'] },
      { seconds: 200 },
    ])
  })

  it('makes the transitions that happened, with the same guardrails', async () => {
    const { transitions, stateAtStart, endedBy, until } = await replayed(run)
    expect(run.transitions.map(({ kind }) => kind)).to.deep.equal([
      'trip',
      'recovery_begun',
      'ramp_step',
      'ramp_step',
      'recovered',
      'trip',
      'recovery_begun',
      'ramp_step',
      'ramp_step',
      'recovered',
    ])
    const told = (list: typeof transitions) =>
      list.map(({ kind, from, to, cause, trips }) => ({ kind, from, to, cause, trips }))
    expect(told(transitions)).to.deep.equal(told(run.transitions))
    for (const [index, { at }] of transitions.entries())
      expect(Math.abs(at - (run.transitions[index]?.at ?? 0)), `transition ${index}`).to.be.at.most(
        TOLERANCE_MS,
      )
    expect([stateAtStart, endedBy, until]).to.deep.equal(['normal', 'end', run.to])
  })

  it('trips by probes alone at the tick that follows them', async () => {
    const { transitions } = await replayed(run)
    const [real, replay] = [run.transitions[5], transitions[5]]
    expect(replay?.cause).to.equal('health')
    expect(Math.abs((replay?.at ?? 0) - (real?.at ?? 0))).to.be.at.most(1_500)
  })

  it('makes none where nothing is a breach for the other guardrails', async () => {
    const { transitions } = await replayed(run, {
      errorRate: 0.8,
      timeoutRate: 0.8,
      consecutiveFailures: 1000,
    })
    expect(transitions.map(({ cause }) => cause)).to.not.include('error_rate')
    expect(transitions[0]?.cause).to.equal('health')
  })

  it('trips where stricter guardrails see a breach that was none', async () => {
    const sick = await recordedRun([
      { seconds: 60 },
      { seconds: 60, results: ['ok', 'ok', 'ok', 'error'] },
      { seconds: 60 },
    ])
    expect(sick.transitions).to.deep.equal([])
    expect((await replayed(sick)).transitions).to.deep.equal([])
    const { transitions } = await replayed(sick, { errorRate: 0.1 })
    expect(transitions[0]).to.include({ kind: 'trip', cause: 'error_rate', threshold: 0.1 })
    const at = (transitions[0]?.at ?? 0) - sick.from
    expect(at).to.be.within(60_000, 120_000)
  })

  it('takes what a person asked for', async () => {
    const command = { kind: 'trigger', userId: 'ann', reason: 'drill', ttlSeconds: 20 } as const
    const events: ReplayEvent[] = [{ at: run.from + 30_000, kind: 'command', command }]
    const { transitions } = await replayed({ ...run, events, to: run.from + 60_000 })
    expect(transitions.map(({ kind, userId }) => [kind, userId])).to.deep.equal([
      ['triggered', 'ann'],
      ['manual_expired', undefined],
    ])
    const reset = {
      at: run.from + 85_000,
      kind: 'command',
      command: { kind: 'reset', userId: 'bob' },
    } as const
    const withReset = [...run.events, reset].sort((a, b) => a.at - b.at)
    const kinds = (await replayed({ ...run, events: withReset })).transitions.map(({ kind }) => kind)
    expect(kinds.slice(0, 2)).to.deep.equal(['trip', 'reset'])
  })

  it('tells of what comes after the lead alone, and the state it began in', async () => {
    const reportFrom = (run.transitions[0]?.at ?? 0) + 5_000
    const { transitions, stateAtStart } = await replayed(run, {}, { reportFrom })
    expect(stateAtStart).to.equal('fallback')
    expect(transitions[0]?.kind).to.equal('recovery_begun')
  })

  it('ends within its budget and says how far it came', async () => {
    let steps = 0
    const cut = await replayed(run, {}, { isOver: () => ++steps > 100 })
    expect(cut.endedBy).to.equal('budget')
    expect(cut.until).to.be.within(run.from + 90_000, run.from + 110_000)
    expect(cut.transitions[0]?.kind).to.equal('trip')
    expect(cut.transitions.every(({ at }) => at <= cut.until)).to.equal(true)
    const few = await replayed(run, {}, { maxTransitions: 2 })
    expect([few.endedBy, few.transitions.length]).to.deep.equal(['transitions', 2])
  })

  it('gives the same answer each time, and passes a quiet day in few steps', async () => {
    const [one, other] = [await replayed(run), await replayed(run)]
    expect(other).to.deep.equal(one)
    let steps = 0
    const day = { ...run, to: run.to + 86_400_000 }
    const { transitions, until } = await replayed(
      day,
      { maxHoldSeconds: 60 },
      {
        isOver: () => {
          steps += 1
          return false
        },
      },
    )
    expect(until).to.equal(day.to)
    expect(transitions.length).to.equal(run.transitions.length)
    expect(steps).to.be.lessThan(2_000)
  })
})
