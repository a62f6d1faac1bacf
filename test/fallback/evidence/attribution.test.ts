import { expect } from 'chai'
import fc from 'fast-check'
import { explain, failingIds } from '../../../src/fallback/evidence/attribution.js'
import {
  type FallbackGuardrails,
  NO_EXECUTIONS,
  type RuntimeWindows,
} from '../../../src/fallback/evidence/evidence.js'
import { evidenceByScope } from '../../../src/fallback/evidence/evidence-by-scope.js'
import { judge, judgeRuntime } from '../../../src/fallback/evidence/verdict.js'
import { createJudgedLog } from '../../../src/metrics/windows/judged-log.js'
import {
  covers,
  idIn,
  isSameScope,
  MAX_SCOPE_IDS,
  type Scope,
  type ScopeDimension,
  type ScopeSubject,
  scopeOf,
} from '../../../src/protocol/fallback-scope.js'
import type { Trip } from '../../../src/store/override/override.js'
import { sampleOutcome } from '../../metrics/sample-outcome.js'
import { manualClock } from '../../support/manual-clock.js'
import { CALM, GUARDRAILS } from '../machine/driven.js'

interface Turn extends ScopeSubject {
  readonly result: 'ok' | 'error' | 'timeout'
  readonly latencyMs?: number
}

/** What is found where these executions ended just now, one a ms, oldest first. */
function found(turns: readonly Turn[], guardrails: FallbackGuardrails = GUARDRAILS, within?: Scope) {
  const clock = manualClock()
  const log = createJudgedLog(clock)
  for (const turn of turns) {
    clock.advance(1)
    log.record(sampleOutcome(turn))
  }
  const all = windowsOf(turns)
  const told = evidenceByScope(log, within, all, 0, guardrails)
  const judged = told.scoped?.rest ?? all
  const slow = judge(judged.slow, guardrails)
  const verdict = slow.kind === 'breach' ? slow : judge(judged.fast, guardrails)
  const trip = verdict.kind === 'breach' ? verdict.trip : undefined
  return {
    told,
    trip,
    explained: trip && explain(trip, (within === undefined ? told : told.scoped)?.suspects ?? [], guardrails),
  }
}

const tallyOf = (turns: readonly Turn[]) => ({
  total: turns.length,
  errors: turns.filter(({ result }) => result !== 'ok').length,
  timeouts: turns.filter(({ result }) => result === 'timeout').length,
  latencySumMs: turns.reduce((sum, { latencyMs = 1000 }) => sum + latencyMs, 0),
})

/** All of them within the last ten seconds. */
function windowsOf(turns: readonly Turn[]): RuntimeWindows {
  const tally = tallyOf(turns)
  return { ...NO_EXECUTIONS, slow: tally, fast: tally }
}

const turns = (count: number, orgId: string, result: Turn['result'], agentId = 'assistant'): Turn[] =>
  Array.from({ length: count }, () => ({ orgId, agentId, result }))

describe('whose breach it is', () => {
  it('is one org’s that makes 60% of the traffic and fails, with its own rate', () => {
    const { explained } = found([...turns(18, 'acme', 'error'), ...turns(12, 'globex', 'ok')])
    expect(explained).to.deep.equal({
      scope: scopeOf('orgs', ['acme']),
      trip: { cause: 'error_rate', value: 1, threshold: 0.5 },
    })
  })

  it('is one agent’s whose users are of many orgs', () => {
    const many = Array.from({ length: 20 }, (_, at) => `org-${at}`)
    const { explained } = found(
      many.flatMap((org) => [...turns(3, org, 'timeout', 'analyst'), ...turns(2, org, 'ok')]),
    )
    expect(explained?.scope).to.deep.equal(scopeOf('agents', ['analyst']))
  })

  it('is everybody’s where nobody stands out, or the others are too few or fail as well', () => {
    const scattered = Array.from({ length: 40 }, (_, at) => `org-${at}`)
    expect(found(scattered.flatMap((org) => turns(1, org, 'error'))).explained).to.equal(undefined)
    expect(found([...turns(12, 'acme', 'error'), ...turns(8, 'globex', 'ok')]).explained).to.equal(undefined)
    const others = [...turns(2, 'a', 'error'), ...turns(2, 'b', 'error'), ...turns(2, 'c', 'error')]
    expect(found([...turns(20, 'acme', 'error'), ...others, ...turns(4, 'd', 'error')]).explained).to.equal(
      undefined,
    )
  })

  it('is everybody’s where the newest of the others fail as well, whatever came before', () => {
    const before = turns(10, 'globex', 'ok')
    const [acme, globex] = [turns(18, 'acme', 'error'), turns(3, 'globex', 'error')]
    expect(found([...before, ...acme, ...globex]).explained).to.equal(undefined)
    expect(found([...globex, ...before, ...acme]).explained?.scope).to.deep.equal(scopeOf('orgs', ['acme']))
  })

  it('takes what leaves the others better, then the fewer ids, then the fewer executions', () => {
    // All of one agent's turns fail; they are most of what one org has, which does not fail by itself otherwise.
    const { explained } = found([
      ...turns(20, 'acme', 'error', 'analyst'),
      ...turns(5, 'acme', 'ok'),
      ...turns(12, 'globex', 'ok'),
    ])
    expect(explained?.scope).to.deep.equal(scopeOf('agents', ['analyst']))
    const twoOrgs = found([
      ...turns(10, 'acme', 'error', 'analyst'),
      ...turns(10, 'globex', 'error', 'analyst'),
      ...turns(15, 'initech', 'ok', 'writer'),
    ])
    expect(twoOrgs.explained?.scope).to.deep.equal(scopeOf('agents', ['analyst']))
    // Two orgs fail with all agents; by chance one agent more often than not, and the others as often as not.
    const noisy = found([
      ...turns(7, 'acme', 'error', 'analyst'),
      ...turns(5, 'globex', 'error', 'analyst'),
      ...turns(7, 'initech', 'ok', 'analyst'),
      ...turns(6, 'acme', 'error', 'writer'),
      ...turns(2, 'globex', 'error', 'writer'),
      ...turns(8, 'initech', 'ok', 'writer'),
    ])
    expect(noisy.explained?.scope).to.deep.equal(scopeOf('orgs', ['acme', 'globex']))
  })

  it('is everybody’s by latency, and where the guardrail is off', () => {
    const slow = turns(20, 'acme', 'ok').map((turn) => ({ ...turn, latencyMs: 900_000 }))
    const byLatency = found([...slow, ...turns(15, 'globex', 'ok')])
    expect(byLatency.trip?.cause).to.equal('latency')
    expect(byLatency.told.suspects).to.equal(undefined)
    const sick = [...turns(18, 'acme', 'error'), ...turns(12, 'globex', 'ok')]
    expect(found(sick, { ...GUARDRAILS, scoped: false }).explained).to.equal(undefined)
  })

  it('is one org’s that times out more often than is allowed, though less often than it may fail', () => {
    const some = [...turns(12, 'acme', 'timeout'), ...turns(13, 'acme', 'ok'), ...turns(14, 'globex', 'ok')]
    const { explained } = found(some)
    expect(explained).to.deep.equal({
      scope: scopeOf('orgs', ['acme']),
      trip: { cause: 'timeout_rate', value: 12 / 25, threshold: 0.3 },
    })
  })

  it('names the failing ids in order, and no more than one beyond those that a scope may hold', () => {
    const byId = new Map(
      Array.from({ length: MAX_SCOPE_IDS + 5 }, (_, at): [string, ReturnType<typeof tallyOf>] => [
        `org-${String(MAX_SCOPE_IDS + 5 - at).padStart(3, '0')}`,
        tallyOf(turns(5, 'any', 'error')),
      ]),
    )
    const ids = failingIds(byId, 'error_rate', GUARDRAILS)
    expect(ids).to.have.length(MAX_SCOPE_IDS + 1)
    expect(ids[0]).to.equal('org-001')
    expect(ids).to.deep.equal(ids.toSorted())
  })

  it('asks only about rates, only where the guardrail is on, and of nobody explains nothing', () => {
    const { told, trip } = found([...turns(18, 'acme', 'error'), ...turns(12, 'globex', 'ok')])
    const suspects = told.suspects ?? []
    if (trip === undefined) throw new Error('no trip')
    expect(explain(trip, suspects, GUARDRAILS)?.scope).to.deep.equal(scopeOf('orgs', ['acme']))
    expect(explain(trip, suspects, { ...GUARDRAILS, scoped: false })).to.equal(undefined)
    expect(explain({ ...trip, cause: 'latency' }, suspects, GUARDRAILS)).to.equal(undefined)
    expect(
      explain(
        trip,
        suspects.map((one) => ({ ...one, ids: [] })),
        GUARDRAILS,
      ),
    ).to.equal(undefined)
  })

  it('is everybody’s where the others are in breach in one of their windows', () => {
    const { told, trip } = found([...turns(18, 'acme', 'error'), ...turns(12, 'globex', 'ok')])
    if (trip === undefined) throw new Error('no trip')
    const bad = tallyOf(turns(20, 'any', 'error'))
    const explainedWith = (others: object) =>
      explain(
        trip,
        (told.suspects ?? []).map((one) => ({ ...one, others: { ...one.others, ...others } })),
        GUARDRAILS,
      )
    expect(explainedWith({})).not.to.equal(undefined)
    expect(explainedWith({ slow: bad })).to.equal(undefined)
    expect(explainedWith({ fast: bad })).to.equal(undefined)
    // As many of the newest as are allowed.
    expect(
      explainedWith({ newest: tallyOf([...turns(5, 'x', 'ok'), ...turns(5, 'x', 'error')]) }),
    ).not.to.equal(undefined)
  })

  it('reads each window of those outside of a scope as far as it reaches', () => {
    const clock = manualClock()
    const log = createJudgedLog(clock)
    // Three an age: older than any window, within the slow one, and within the fast one.
    for (const result of ['error', 'timeout', 'ok'] as const) {
      for (let n = 0; n < 3; n += 1) log.record(sampleOutcome({ orgId: 'globex', agentId: 'a', result }))
      clock.advance(result === 'error' ? 400_000 : result === 'timeout' ? 100_000 : 1000)
    }
    const guardrails = { ...GUARDRAILS, minSamples: 1, recoverySamples: 4 }
    const told = evidenceByScope(log, scopeOf('orgs', ['acme']), NO_EXECUTIONS, 7, guardrails)
    expect(told.scoped?.quietForMs).to.equal(7)
    expect(told.scoped?.rest.slow).to.include({ total: 6, errors: 3, timeouts: 3 })
    // The fast window holds three by itself, and reaches back for no more than two.
    expect(told.scoped?.rest.fast).to.include({ total: 3, errors: 0 })
    // A recovery asks for four, and reaches back to the one before.
    expect(told.scoped?.rest.recent).to.include({ total: 4, timeouts: 1 })
  })

  it('of those outside of a scope is told in its dimension alone, without those inside', () => {
    const outside = [...turns(18, 'globex', 'error', 'analyst'), ...turns(12, 'initech', 'ok')]
    const { told, explained } = found(
      [...turns(50, 'acme', 'ok'), ...outside],
      GUARDRAILS,
      scopeOf('orgs', ['acme']),
    )
    expect(told.scoped?.inside.slow.total).to.equal(50)
    expect(told.scoped?.rest.slow).to.include({ total: 30, errors: 18 })
    expect(told.scoped?.suspects?.map(({ dimension }) => dimension)).to.deep.equal(['orgs'])
    expect(explained?.scope).to.deep.equal(scopeOf('orgs', ['globex']))
  })

  it('of those outside of a scope is by what usually fails, as everybody’s is', () => {
    const usual = { total: 1000, errors: 200, timeouts: 0 }
    const found = (errors: number) => {
      const clock = manualClock()
      const log = createJudgedLog(clock)
      for (const turn of [...turns(20 - errors, 'globex', 'ok'), ...turns(errors, 'globex', 'error')]) {
        clock.advance(1)
        log.record(sampleOutcome(turn))
      }
      const told = evidenceByScope(log, scopeOf('orgs', ['acme']), { ...NO_EXECUTIONS, usual }, 0, GUARDRAILS)
      if (told.scoped === undefined) throw new Error('not told apart')
      return told.scoped
    }
    const [byChance, failing] = [found(11), found(19)]
    expect(judgeRuntime({ ...CALM, runtime: byChance.rest }, GUARDRAILS).kind).to.equal('healthy')
    expect(byChance.suspects).to.equal(undefined)
    expect(judgeRuntime({ ...CALM, runtime: failing.rest }, GUARDRAILS).kind).to.equal('breach')
    expect(failing.suspects?.map(({ ids }) => ids)).to.deep.equal([['globex']])
    // A row of failures as well: where a fifth usually fails, five are chance.
    expect(failing.rest.streak?.failures).to.equal(13)
  })

  it('has the first content of everybody for those outside', () => {
    const late = { samples: 30, p95Ms: 20_000 }
    const firstContent = { slow: late, fast: late, recent: late }
    const log = createJudgedLog(manualClock())
    const told = evidenceByScope(
      log,
      scopeOf('orgs', ['acme']),
      { ...NO_EXECUTIONS, firstContent },
      0,
      GUARDRAILS,
    )
    expect(told.scoped?.rest.firstContent).to.deep.equal(firstContent)
    expect(told.scoped?.inside.firstContent).to.equal(undefined)
  })

  it('is what the rule says word for word, whatever happened', () => {
    const result = fc.constantFrom<Turn['result']>('ok', 'ok', 'ok', 'ok', 'error', 'timeout')
    const anyTurn = fc.record({
      orgId: fc.constantFrom('a', 'b', 'c'),
      agentId: fc.constantFrom('x', 'y', 'z'),
      result,
    })
    const anySick = fc
      .tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 0, max: 60 }))
      .map(([org, count]) => turns(count, org, 'error', 'x'))
    const anyCrowd = fc
      .integer({ min: 0, max: 24 })
      .map((count) =>
        Array.from({ length: count }, (_, at) => turns(6, `crowd-${at}`, 'error', `crowd-${at}`)).flat(),
      )
    let scoped = 0
    fc.assert(
      fc.property(
        fc.array(anyTurn, { minLength: 12, maxLength: 50 }),
        anySick,
        anyCrowd,
        (some, sick, crowd) => {
          const all = [...some, ...sick, ...crowd]
          const { trip, explained } = found(all)
          if (trip === undefined) return
          const smallest = naive(all, trip)
          if (explained !== undefined) scoped += 1
          expect(explained === undefined).to.equal(smallest.length === 0)
          if (explained === undefined) return
          expect(smallest.some((scope) => isSameScope(scope, explained.scope))).to.equal(true)
          expect(explained.trip.value).to.be.above(trip.threshold)
        },
      ),
      { numRuns: 1000 },
    )
    expect(scoped).to.be.above(20)
  })
})

/** The smallest explanations: more than one where two are as small. */
function naive(all: readonly Turn[], { cause, threshold }: Trip): Scope[] {
  const isBad = ({ result }: Turn): boolean =>
    cause === 'timeout_rate' ? result === 'timeout' : result !== 'ok'
  const explanations = (['orgs', 'agents'] as const).flatMap((dimension: ScopeDimension) => {
    const failing = [...new Set(all.map((turn) => idIn(dimension, turn)))].filter((id) => {
      const own = all.filter((turn) => idIn(dimension, turn) === id)
      return own.length >= 5 && own.filter(isBad).length / own.length > threshold
    })
    if (failing.length === 0 || failing.length > MAX_SCOPE_IDS) return []
    const scope = scopeOf(dimension, failing)
    const others = all.filter((turn) => !covers(scope, turn))
    const isWell =
      others.filter(({ result }) => result !== 'ok').length / others.length <= 0.5 &&
      others.filter(({ result }) => result === 'timeout').length / others.length <= 0.3
    const newest = others.slice(-5)
    const isTurning = newest.filter(isBad).length / newest.length > threshold
    const badShare = others.filter(isBad).length / others.length
    const size = [Math.floor((badShare / threshold) * 5), failing.length, all.length - others.length]
    return others.length >= 10 && isWell && !isTurning ? [{ scope, size }] : []
  })
  const ordered = explanations.sort(({ size: a }, { size: b }) => {
    const at = a.findIndex((value, index) => value !== b[index])
    return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0)
  })
  const least = ordered[0]?.size.join()
  return ordered.filter(({ size }) => size.join() === least).map(({ scope }) => scope)
}
