import { expect } from 'chai'
import fc from 'fast-check'
import { createJudgedLog } from '../../../src/metrics/windows/judged-log.js'
import type { Tally } from '../../../src/metrics/windows/windows.js'
import { covers, type Scope, type ScopeSubject, scopeOf } from '../../../src/protocol/fallback-scope.js'
import { manualClock } from '../../support/manual-clock.js'
import { sampleOutcome } from '../sample-outcome.js'

const everybody = (): boolean => true
const ALL = { fastMs: 1e9, atLeast: 0, windowMs: 1e9 }

interface Kept extends ScopeSubject {
  readonly at: number
  readonly startedAt: number
  readonly result: 'ok' | 'error' | 'timeout'
  readonly latencyMs: number
}

const CAPACITY = 20
type Step =
  | { readonly kind: 'pass'; readonly ms: number }
  | {
      readonly kind: 'record'
      readonly orgId: string
      readonly agentId: string
      readonly agoMs: number
      readonly result: 'ok' | 'error' | 'timeout' | 'aborted' | 'rejected'
    }
  | { readonly kind: 'restart'; readonly scope: Scope | undefined }

const org = fc.constantFrom('a', 'b', 'c')
const agent = fc.constantFrom('x', 'y')
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(3000) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('record' as const),
      orgId: org,
      agentId: agent,
      agoMs: fc.nat(2000),
      result: fc.constantFrom(
        'ok' as const,
        'error' as const,
        'timeout' as const,
        'aborted' as const,
        'rejected' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('restart' as const),
      scope: fc.option(fc.constantFrom(scopeOf('orgs', ['a', 'b']), scopeOf('agents', ['x'])), {
        nil: undefined,
      }),
    }),
  },
)

function tallyOf(kept: readonly Kept[]): Tally {
  return {
    total: kept.length,
    errors: kept.filter(({ result }) => result !== 'ok').length,
    timeouts: kept.filter(({ result }) => result === 'timeout').length,
    latencySumMs: kept.reduce((sum, { latencyMs }) => sum + latencyMs, 0),
  }
}

describe('the log of judged executions', () => {
  it('tells what a list of all of them would, of the newest that fit', () => {
    const reach = fc.record({
      fastMs: fc.nat(4000),
      atLeast: fc.nat(8),
      windowMs: fc.integer({ min: 1, max: 9000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), reach, (steps, { fastMs, atLeast, windowMs }) => {
        const clock = manualClock()
        clock.advance(5000)
        const log = createJudgedLog(clock, CAPACITY)
        let kept: (Kept & { counts: boolean })[] = []
        let since = Number.NEGATIVE_INFINITY
        let scoped: { scope: Scope; since: number } | undefined
        for (const one of steps) {
          const now = clock.monotonic()
          if (one.kind === 'pass') clock.advance(one.ms)
          else if (one.kind === 'restart') {
            log.restart(now, one.scope)
            if (one.scope === undefined) {
              since = now
              scoped = undefined
            } else scoped = { scope: one.scope, since: now }
            kept = kept.map((entry) => ({ ...entry, counts: entry.counts && !covers(one.scope, entry) }))
          } else {
            const startedAt = now - one.agoMs
            const { orgId, agentId, result } = one
            log.record({
              ...sampleOutcome({ orgId, agentId, result, startedAt, latencyMs: one.agoMs }),
              sessionId: `${now}`,
            })
            if (result === 'aborted' || result === 'rejected' || startedAt < since) continue
            if (scoped !== undefined && startedAt < scoped.since && covers(scoped.scope, one)) continue
            kept.push({ at: now, startedAt, orgId, agentId, result, latencyMs: one.agoMs, counts: true })
          }
        }
        const now = clock.monotonic()
        const isOfA = ({ orgId }: ScopeSubject): boolean => orgId === 'a'
        const candidates = kept
          .slice(-CAPACITY)
          .filter((entry) => entry.counts && isOfA(entry))
          .reverse()
        const expected = candidates.filter(
          ({ at }, index) => now - at < windowMs && (now - at < fastMs || index < atLeast),
        )
        const told = { fastMs, atLeast, windowMs }
        expect(log.tally(isOfA, told)).to.deep.equal(tallyOf(expected))
        const row = candidates.findIndex(({ result }) => result === 'ok')
        const failures = candidates.slice(0, row < 0 ? candidates.length : row).slice(0, atLeast)
        expect(log.streak(isOfA, atLeast)).to.deep.equal({
          failures: failures.length,
          sessions: new Set(failures.map(({ at }) => at)).size,
        })
        const byAgent = Object.fromEntries(
          [...log.byId('agents', isOfA, told)].map(([id, tally]) => [id, { ...tally }]),
        )
        const ids = [...new Set(expected.map(({ agentId }) => agentId))]
        expect(byAgent).to.deep.equal(
          Object.fromEntries(
            ids.map((id) => [id, tallyOf(expected.filter(({ agentId }) => agentId === id))]),
          ),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('keeps the newest in full as it grows to its capacity, and beyond', () => {
    const clock = manualClock()
    const log = createJudgedLog(clock, 700)
    let sum = 0
    for (let at = 1; at <= 1500; at += 1) {
      clock.advance(1)
      const result = at % 5 === 0 ? 'timeout' : 'ok'
      log.record(sampleOutcome({ result, startedAt: clock.monotonic(), latencyMs: at }))
      sum += at - (at > 700 ? at - 700 : 0)
      if (at % 50 !== 0 && at !== 257) continue
      const total = Math.min(at, 700)
      const told = log.tally(everybody, ALL)
      expect(told).to.deep.include({ total, latencySumMs: sum })
      expect(told.timeouts).to.equal(Math.floor(at / 5) - Math.floor((at - total) / 5))
      expect(log.tally(everybody, { fastMs: 0, atLeast: 0, windowMs: 100 }).total).to.equal(0)
      expect(log.tally(everybody, { fastMs: 100, atLeast: 0, windowMs: 100 }).total).to.equal(
        Math.min(at, 100),
      )
    }
  })

  it('keeps what it held of others when a scope begins anew', () => {
    const clock = manualClock()
    const log = createJudgedLog(clock)
    for (const orgId of ['sick', 'well']) log.record(sampleOutcome({ orgId }))
    clock.advance(10)
    log.restart(clock.monotonic(), scopeOf('orgs', ['sick']))
    // Started before: leftovers of the outage, for the scope alone.
    for (const orgId of ['sick', 'well']) log.record(sampleOutcome({ orgId, startedAt: 0 }))
    expect([...log.byId('orgs', everybody, ALL)].map(([id, { total }]) => [id, total])).to.deep.equal([
      ['well', 2],
    ])
  })

  it('counts what is younger than the window, and reaches back beyond the fast one only for as many as asked', () => {
    const clock = manualClock()
    const log = createJudgedLog(clock)
    for (let n = 0; n < 3; n += 1) {
      log.record(sampleOutcome({ startedAt: clock.monotonic() }))
      clock.advance(1000)
    }
    // Three executions: 1, 2 and 3 s old.
    const total = (fastMs: number, atLeast: number, windowMs: number) =>
      log.tally(everybody, { fastMs, atLeast, windowMs }).total
    expect([total(9000, 0, 3000), total(9000, 0, 3001)]).to.deep.equal([2, 3])
    expect([total(1000, 0, 9000), total(1001, 0, 9000), total(1000, 2, 9000)]).to.deep.equal([0, 1, 2])
  })

  const restarts: [name: string, orgId: string, scopes: readonly (Scope | undefined)[]][] = [
    [
      'everybody began anew, through a later restart of a scope',
      'globex',
      [undefined, scopeOf('orgs', ['acme'])],
    ],
    ['a scope began anew', 'acme', [scopeOf('orgs', ['acme'])]],
  ]
  for (const [name, orgId, scopes] of restarts)
    it(`counts from the very instant at which ${name}`, () => {
      const clock = manualClock()
      const log = createJudgedLog(clock)
      clock.advance(1000)
      for (const scope of scopes) log.restart(1000, scope)
      log.record(sampleOutcome({ orgId, startedAt: 999 }))
      expect(log.tally(everybody, ALL).total).to.equal(0)
      log.record(sampleOutcome({ orgId, startedAt: 1000 }))
      expect(log.tally(everybody, ALL).total).to.equal(1)
    })

  it('holds the newest alone, each once', () => {
    const log = createJudgedLog(manualClock(), 4)
    for (let n = 0; n < 6; n += 1) log.record({ ...sampleOutcome({ result: 'error' }), sessionId: `s${n}` })
    expect(log.tally(everybody, ALL).total).to.equal(4)
    expect(log.streak(everybody, 100)).to.deep.equal({ failures: 4, sessions: 4 })
  })

  it('forgets all of a scope that begins anew, and nothing else, wherever the ring begins', () => {
    for (let count = 1; count < 10; count += 1) {
      const log = createJudgedLog(manualClock(), 4)
      const orgs = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? 'acme' : 'globex'))
      for (const orgId of orgs) log.record(sampleOutcome({ orgId }))
      log.restart(1, scopeOf('orgs', ['acme']))
      const totalOf = (org: string) => log.tally(({ orgId }) => orgId === org, ALL).total
      const others = orgs.slice(-4).filter((org) => org === 'globex').length
      expect([totalOf('acme'), totalOf('globex')], `${count}`).to.deep.equal([0, others])
    }
  })

  it('has a row of failures of one day at most', () => {
    const clock = manualClock()
    const log = createJudgedLog(clock)
    log.record(sampleOutcome({ result: 'error' }))
    clock.advance(86_399_999)
    expect(log.streak(everybody, 100).failures).to.equal(1)
    clock.advance(1)
    expect(log.streak(everybody, 100).failures).to.equal(0)
  })
})
