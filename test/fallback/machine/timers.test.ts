import { expect } from 'chai'
import { retryMs, shortenedHold, timersOf } from '../../../src/fallback/machine/timers.js'
import { NEUTRAL, type Override } from '../../../src/store/override/override.js'
import { GUARDRAILS } from './driven.js'

const NOW = 5000
const TRIP = { cause: 'error_rate', value: 1, threshold: 0.5 } as const
const BEFORE = { autoSinceAt: 1, holdUntilAt: 2, goodSinceAt: 3, manualUntilAt: 4 }
const fallback = (since: number, holdUntil = since + 30_000): Override => ({
  ...NEUTRAL,
  auto: { state: 'fallback', trip: TRIP, since, holdUntil },
  updatedAt: since,
})
const recovering = (since: number, percent: number): Override => ({
  ...NEUTRAL,
  auto: { state: 'recovering', trip: TRIP, since, percent },
  updatedAt: since,
})
const of = (before: Override, after: Override) =>
  timersOf(before, after, BEFORE, { now: NOW, wall: 0 }, GUARDRAILS)

describe('the timers of an override', () => {
  it('run on while the state and the step are the same', () => {
    for (const [before, after] of [
      [NEUTRAL, { ...NEUTRAL, revision: 5 }],
      [fallback(7), { ...fallback(7, 90_000), revision: 5 }],
      [recovering(7, 5), { ...recovering(7, 5), revision: 5 }],
    ] as const)
      expect(of(before, after)).to.deep.equal(BEFORE)
  })

  it('begin anew with each other state, step, or fallback', () => {
    for (const [before, after] of [
      [NEUTRAL, recovering(7, 5)],
      [fallback(7), recovering(7, 5)],
      [recovering(7, 5), recovering(7, 25)],
      [recovering(7, 5), recovering(8, 5)],
      [recovering(7, 5), NEUTRAL],
      [fallback(7), NEUTRAL],
      [NEUTRAL, fallback(7)],
      [recovering(7, 5), fallback(7)],
      [fallback(7), fallback(8)],
    ] as const)
      expect(of(before, after)).to.deep.equal({
        autoSinceAt: NOW,
        holdUntilAt: after.auto.state === 'fallback' ? NOW + 30_000 : null,
        goodSinceAt: after.auto.state === 'normal' ? NOW : null,
        manualUntilAt: 4,
      })
  })

  it('hold for what is left by the writer’s clock, at most the longest hold', () => {
    const holdOf = (after: Override) => of(NEUTRAL, after).holdUntilAt
    expect(holdOf({ ...fallback(7), updatedAt: 20_007 })).to.equal(NOW + 10_000)
    expect(holdOf({ ...fallback(7), updatedAt: 90_000 })).to.equal(NOW)
    expect(holdOf(fallback(7, 1e9))).to.equal(NOW + 900_000)
    const { updatedAt: _, ...unknown } = fallback(7)
    expect(holdOf(unknown)).to.equal(NOW + 30_000)
  })

  it('end a manual layer when the writer meant it to, and as before where its end is the same', () => {
    const all = { scope: 'all', reason: '' } as const
    const endOf = (
      manual: Override['manual'],
      before: Override['manual'] = NEUTRAL.manual,
      updatedAt?: number,
    ) =>
      of(
        { ...NEUTRAL, manual: before },
        { ...NEUTRAL, manual, ...(updatedAt === undefined ? {} : { updatedAt }) },
      ).manualUntilAt
    expect(endOf({ ...all, until: 60_000 }, NEUTRAL.manual, 50_000)).to.equal(NOW + 10_000)
    expect(endOf({ ...all, until: 60_000 }, NEUTRAL.manual, 70_000)).to.equal(NOW)
    expect(endOf({ ...all, until: 60_000 })).to.equal(NOW)
    expect(endOf(all)).to.equal(null)
    expect(endOf({ scope: 'none' }, all)).to.equal(null)
    expect(endOf({ ...all, until: 60_000, reason: 'x' }, { ...all, until: 60_000 }, 50_000)).to.equal(4)
    expect(endOf({ ...all, until: 60_001 }, { ...all, until: 60_000 }, 50_001)).to.equal(NOW + 10_000)
    expect(endOf(all, { ...all, until: 60_000 })).to.equal(null)
  })
})

describe('a hold under other guardrails', () => {
  const held = { ...BEFORE, autoSinceAt: 1000, holdUntilAt: 100_000 }
  const shorten = (override: Override, timers = held) => shortenedHold(override, timers, GUARDRAILS)

  it('ends when the longest that they make would end', () => {
    expect(shorten({ ...fallback(7), trips: 1 }).holdUntilAt).to.equal(1000 + 33_000)
    expect(shorten({ ...fallback(7), trips: 2 }).holdUntilAt).to.equal(1000 + 66_000)
  })

  it('stays where it is no longer than that', () => {
    const exact = { ...held, holdUntilAt: 34_000 }
    expect(shorten({ ...fallback(7), trips: 1 }, exact)).to.equal(exact)
    expect(shorten(recovering(7, 5))).to.equal(held)
    expect(shorten(NEUTRAL)).to.equal(held)
  })
})

describe('a write that failed', () => {
  it('is tried again after 1 s, then twice as long each time, up to 30 s; half of it is left to chance', () => {
    expect([1, 2, 3, 5, 6, 7].map((attempts) => retryMs(attempts, 1))).to.deep.equal([
      ...[1000, 2000, 4000, 16_000],
      ...[30_000, 30_000],
    ])
    expect([retryMs(1, 0), retryMs(1, 0.5)]).to.deep.equal([500, 750])
  })
})
