import { expect } from 'chai'
import fc from 'fast-check'
import type { Evidence } from '../../../src/fallback/evidence/evidence.js'
import { recoveryReach, standbyTrouble } from '../../../src/fallback/evidence/verdict.js'
import { type AutoInput, autoMove } from '../../../src/fallback/machine/auto-layer.js'
import { holdMs } from '../../../src/fallback/machine/hold-time.js'
import type { Tally } from '../../../src/metrics/windows/windows.js'
import type { AutoLayer, Trip } from '../../../src/store/override/override.js'
import { CALM, DEAD, FAILING, GUARDRAILS, over, QUIET, tally, WELL } from './driven.js'

const NOW = 5_000_000
const WALL = Date.UTC(2026, 0, 1)
const TRIP: Trip = { cause: 'error_rate', value: 0.75, threshold: 0.5 }
const FALLBACK: AutoLayer = { state: 'fallback', trip: TRIP, since: WALL - 60_000, holdUntil: WALL - 30_000 }
const RECOVERING: AutoLayer = { state: 'recovering', trip: TRIP, since: WALL - 60_000, percent: 5 }

function input(part: Partial<AutoInput>): AutoInput {
  return {
    auto: { state: 'normal' },
    trips: 0,
    timers: {
      autoSinceAt: NOW - 60_000,
      holdUntilAt: NOW - 1,
      goodSinceAt: NOW - 60_000,
      manualUntilAt: null,
    },
    evidence: CALM,
    guardrails: GUARDRAILS,
    policy: 'auto',
    holder: true,
    jitter: 0,
    now: NOW,
    wall: WALL,
    ...part,
  }
}

const UNUSABLE = { unusable: true, why: 'http_status 401' }

const kindOf = (part: Partial<AutoInput>): string => autoMove(input(part)).kind

describe('the automatic layer in normal', () => {
  it('trips by the executions', () => {
    const move = autoMove(input({ evidence: FAILING }))
    expect(move).to.deep.equal({
      kind: 'trip',
      what: 'trip',
      trips: 1,
      auto: { state: 'fallback', trip: TRIP, since: WALL, holdUntil: WALL + 30_000 },
    })
  })

  it('trips by the probes where the runtime is in use', () => {
    const move = autoMove(input({ evidence: DEAD }))
    expect(move).to.deep.include({ kind: 'trip' })
    expect(move.kind === 'trip' && move.auto.state === 'fallback' && move.auto.trip).to.deep.equal({
      cause: 'health',
      value: 2,
      threshold: 2,
    })
  })

  it('leaves those in peace by whom no turn was given to the runtime within the window', () => {
    expect(kindOf({ evidence: { ...DEAD, runtimeTurnAgoMs: null } })).to.equal('stay')
    expect(kindOf({ evidence: { ...DEAD, runtimeTurnAgoMs: 300_001 } })).to.equal('stay')
    expect(kindOf({ evidence: { ...DEAD, runtimeTurnAgoMs: 300_000 } })).to.equal('trip')
  })

  it('bears fewer bad probes than the guardrail says', () => {
    expect(kindOf({ evidence: { ...DEAD, probe: { ...DEAD.probe, failures: 1 } } })).to.equal('stay')
  })

  it('holds where the direct LLM is unhealthy itself, and says so', () => {
    expect(kindOf({ evidence: { ...FAILING, direct: tally(20, 15) } })).to.equal('both_sick')
    expect(kindOf({ evidence: { ...FAILING, direct: tally(20, 11) } })).to.equal('both_sick')
    expect(kindOf({ evidence: { ...FAILING, standby: UNUSABLE } })).to.equal('both_sick')
  })

  it('sends nobody to a direct LLM that cannot be used, also from a dead runtime', () => {
    expect(kindOf({ evidence: { ...DEAD, standby: UNUSABLE } })).to.equal('both_sick')
  })

  it('lets the probes trip, however unhealthy the executions of the direct LLM are', () => {
    expect(
      kindOf({ evidence: { ...FAILING, ...DEAD, runtime: FAILING.runtime, direct: tally(20, 20) } }),
    ).to.equal('trip')
  })

  it('says under `observe` what it would have done', () => {
    expect(autoMove(input({ evidence: FAILING, policy: 'observe' }))).to.deep.equal({
      kind: 'would_trip',
      trip: TRIP,
    })
  })

  it('does nothing under `off`', () => {
    expect(kindOf({ evidence: FAILING, policy: 'off' })).to.equal('stay')
    expect(kindOf({ evidence: DEAD, policy: 'off' })).to.equal('stay')
  })

  it('forgets its trips after the longest hold in good health, not before', () => {
    const since = (ms: number) => ({ ...input({}).timers, goodSinceAt: NOW - ms })
    expect(kindOf({ trips: 3, timers: since(900_000) })).to.equal('forget_trips')
    expect(kindOf({ trips: 3, timers: since(899_999) })).to.equal('stay')
    expect(kindOf({ trips: 0, timers: since(900_000) })).to.equal('stay')
    expect(kindOf({ trips: 3, timers: { ...since(0), goodSinceAt: null } })).to.equal('stay')
  })
})

describe('the hold', () => {
  it('doubles with each trip up to the longest', () => {
    const holds = [1, 2, 3, 4, 5, 6, 7, 1000].map((trips) => holdMs(trips, 0, GUARDRAILS) / 1000)
    expect(holds).to.deep.equal([30, 60, 120, 240, 480, 900, 900, 900])
  })

  it('is only ever lengthened by the jitter', () => {
    expect(holdMs(1, 0, GUARDRAILS)).to.equal(30_000)
    expect(holdMs(1, 0.5, GUARDRAILS)).to.equal(31_500)
    expect(holdMs(9, 1, GUARDRAILS)).to.equal(900_000)
  })

  it('grows with the trips that outlived the last normal', () => {
    const move = autoMove(input({ evidence: FAILING, trips: 2 }))
    expect(move.kind === 'trip' && move.auto.state === 'fallback' && move.auto.holdUntil).to.equal(
      WALL + 120_000,
    )
    expect(move).to.deep.include({ trips: 3 })
  })
})

describe('the automatic layer in fallback', () => {
  const auto = FALLBACK
  const held = { ...input({}).timers, holdUntilAt: NOW + 1 }

  it('begins to recover when the hold is over, the probes are good and the evidence is healthy', () => {
    expect(autoMove(input({ auto, evidence: WELL }))).to.deep.equal({
      kind: 'towards_runtime',
      what: 'recovery_begun',
      auto: { state: 'recovering', trip: TRIP, since: WALL, percent: 5 },
    })
  })

  it('waits for each of them', () => {
    expect(kindOf({ auto, evidence: WELL, timers: held })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...WELL, probe: { ...WELL.probe, healthy: false } } })).to.equal('stay')
    expect(kindOf({ auto, evidence: CALM })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...CALM, runtime: over(tally(4)) } })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...CALM, runtime: over(tally(20, 6)) } })).to.equal('stay')
  })

  it('waits for the lease', () => {
    expect(kindOf({ auto, evidence: WELL, holder: false })).to.equal('stay')
  })

  it('begins in a quiet time too, by the probes alone', () => {
    expect(kindOf({ auto, evidence: QUIET })).to.equal('towards_runtime')
    expect(kindOf({ auto, evidence: { ...QUIET, quietForMs: 299_999 } })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...QUIET, probe: { ...QUIET.probe, goodForMs: 299_999 } } })).to.equal(
      'stay',
    )
  })

  it('completes under `observe`, and ends at once under `off`', () => {
    expect(kindOf({ auto, evidence: WELL, policy: 'observe' })).to.equal('towards_runtime')
    expect(kindOf({ auto, evidence: FAILING, timers: held, holder: false, policy: 'off' })).to.equal(
      'policy_off',
    )
  })

  it('is not tripped once more', () => {
    expect(kindOf({ auto, evidence: FAILING })).to.equal('stay')
    expect(kindOf({ auto, evidence: DEAD })).to.equal('stay')
  })
})

describe('the automatic layer while recovering', () => {
  const auto = RECOVERING
  const young = { ...input({}).timers, autoSinceAt: NOW - 29_999 }

  it('goes up the ramp step by step, and ends in normal', () => {
    const percents: unknown[] = []
    for (let at: AutoLayer = auto; at.state === 'recovering'; ) {
      const move = autoMove(input({ auto: at, evidence: WELL }))
      if (move.kind !== 'towards_runtime') throw new Error(move.kind)
      at = move.auto
      percents.push(at.state === 'recovering' ? [move.what, at.percent] : [move.what])
    }
    expect(percents).to.deep.equal([['ramp_step', 25], ['ramp_step', 100], ['recovered']])
  })

  it('takes for each step its time, the lease, good probes and healthy executions', () => {
    expect(kindOf({ auto, evidence: WELL, timers: young })).to.equal('stay')
    expect(kindOf({ auto, evidence: WELL, holder: false })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...WELL, probe: { ...WELL.probe, healthy: false } } })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...CALM, runtime: over(tally(4)) } })).to.equal('stay')
  })

  it('finds its next step where the ramp was changed meanwhile', () => {
    const guardrails = { ...GUARDRAILS, rampPercents: [2, 50, 100] }
    const move = autoMove(input({ auto, evidence: WELL, guardrails }))
    expect(move.kind === 'towards_runtime' && move.auto).to.deep.include({ percent: 50 })
  })

  it('counts the executions of the step beyond the window, where few turns come', () => {
    const runtime = { slow: tally(3), fast: tally(1), recent: tally(5) }
    expect(kindOf({ auto, evidence: { ...CALM, runtime } })).to.equal('towards_runtime')
    const reach = recoveryReach(GUARDRAILS)
    const mixed = (total: number) => ({ ...runtime, slow: tally(total, Math.ceil(total * 0.4)) })
    expect(kindOf({ auto, evidence: { ...CALM, runtime: mixed(reach) } })).to.equal('stay')
    expect(kindOf({ auto, evidence: { ...CALM, runtime: mixed(reach - 1) } })).to.equal('towards_runtime')
    const doubtful = { ...runtime, slow: tally(20, 6) }
    expect(kindOf({ auto, evidence: { ...CALM, runtime: doubtful } })).to.equal('stay')
  })

  it('waits where the first content comes late, whatever the executions say', () => {
    const guardrails = { ...GUARDRAILS, firstContentP95Ms: 10_000 }
    const of = (p95Ms: number): Evidence => {
      const soon = { samples: 20, p95Ms: 500 }
      const firstContent = { slow: soon, fast: soon, recent: { samples: 20, p95Ms } }
      return { ...WELL, runtime: { ...WELL.runtime, firstContent } }
    }
    expect(kindOf({ auto, evidence: of(10_000), guardrails })).to.equal('towards_runtime')
    expect(kindOf({ auto, evidence: of(10_001), guardrails })).to.equal('stay')
  })

  it('goes on in a quiet night only where health was the cause', () => {
    const health: AutoLayer = { ...auto, trip: { cause: 'health', value: 2, threshold: 2 } }
    expect(kindOf({ auto: health, evidence: QUIET })).to.equal('towards_runtime')
    expect(kindOf({ auto, evidence: QUIET })).to.equal('stay')
  })

  it('relapses by a breach at once, held longer, with or without the lease', () => {
    for (const evidence of [FAILING, DEAD]) {
      const move = autoMove(input({ auto, trips: 1, evidence, timers: young, holder: false }))
      expect(move).to.deep.include({ kind: 'trip', what: 'relapse', trips: 2 })
      expect(move.kind === 'trip' && move.auto).to.deep.include({ holdUntil: WALL + 60_000 })
    }
  })

  it('relapses though no turn was given to the runtime', () => {
    expect(kindOf({ auto, evidence: { ...DEAD, runtimeTurnAgoMs: null } })).to.equal('trip')
  })

  it('relapses by health though the direct LLM is unhealthy, not by rates, nor where that cannot be used', () => {
    expect(kindOf({ auto, evidence: { ...DEAD, direct: tally(20, 20) } })).to.equal('trip')
    expect(kindOf({ auto, evidence: { ...FAILING, direct: tally(20, 20) } })).to.equal('both_sick')
    expect(kindOf({ auto, evidence: { ...DEAD, standby: UNUSABLE } })).to.equal('both_sick')
  })

  it('relapses under `observe` too', () => {
    expect(kindOf({ auto, evidence: FAILING, policy: 'observe' })).to.equal('trip')
  })
})

describe('moves on any evidence', () => {
  const anyTally = fc
    .tuple(fc.nat(60), fc.nat(60), fc.nat(60), fc.nat(300_000))
    .map(([total, errors, timeouts, mean]): Tally => {
      const failed = Math.min(total, errors)
      return { total, errors: failed, timeouts: Math.min(failed, timeouts), latencySumMs: total * mean }
    })
  const anyEvidence: fc.Arbitrary<Evidence> = fc.record({
    at: fc.constant(NOW),
    runtime: fc.record({ slow: anyTally, fast: anyTally, recent: anyTally }),
    direct: anyTally,
    probe: fc.record({
      failures: fc.nat(4),
      goodForMs: fc.nat(600_000),
      healthy: fc.boolean(),
    }),
    runtimeTurnAgoMs: fc.option(fc.nat(600_000)),
    quietForMs: fc.nat(600_000),
  })
  const anyInput = fc.record({
    auto: fc.constantFrom<AutoLayer>({ state: 'normal' }, FALLBACK, RECOVERING),
    trips: fc.nat(20),
    timers: fc.record({
      autoSinceAt: fc.integer({ min: NOW - 60_000, max: NOW }),
      holdUntilAt: fc.option(fc.integer({ min: NOW - 60_000, max: NOW + 60_000 })),
      goodSinceAt: fc.option(fc.integer({ min: NOW - 1_000_000, max: NOW })),
      manualUntilAt: fc.constant(null),
    }),
    evidence: anyEvidence,
    policy: fc.constantFrom('auto' as const, 'observe' as const, 'off' as const),
    holder: fc.boolean(),
    jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  const always = (check: (given: AutoInput, move: ReturnType<typeof autoMove>) => void): void =>
    fc.assert(
      fc.property(anyInput, (part) => {
        const given = input(part)
        check(given, autoMove(given))
      }),
      { numRuns: 2000 },
    )

  it('go towards the runtime for the holder alone, with good probes', () => {
    always((given, move) => {
      if (move.kind !== 'towards_runtime') return
      expect(given.holder && given.evidence.probe.healthy).to.equal(true)
    })
  })

  it('leave a fallback not before its hold is over, unless it leads to an unhealthy direct LLM', () => {
    always(({ auto, timers, policy, evidence }, move) => {
      if (standbyTrouble(evidence, GUARDRAILS) !== undefined) return
      if (auto.state !== 'fallback' || move.kind === 'stay' || policy === 'off') return
      expect(timers.holdUntilAt === null || timers.holdUntilAt <= NOW).to.equal(true)
    })
  })

  it('hold each fallback at least as long as its trips say, at most the longest hold', () => {
    always((_, move) => {
      if (move.kind !== 'trip' || move.auto.state !== 'fallback') return
      const least = Math.min(900_000, 30_000 * 2 ** (move.trips - 1))
      expect(move.auto.holdUntil - WALL).to.be.within(least, 900_000)
    })
  })

  it('never trip from normal but under `auto`, and never do anything under `off` but end', () => {
    always(({ auto, policy }, { kind }) => {
      if (auto.state === 'normal' && policy !== 'auto') expect(kind).to.not.equal('trip')
      if (policy === 'off') expect(kind).to.equal(auto.state === 'normal' ? 'stay' : 'policy_off')
    })
  })

  it('come of nothing where too little is known, but in a quiet time', () => {
    always((given) => {
      const unknown = input({
        ...given,
        policy: 'auto',
        trips: 0,
        evidence: {
          ...given.evidence,
          runtime: over(tally(4, 4)),
          probe: CALM.probe,
          quietForMs: 0,
          direct: tally(0),
        },
      })
      expect(autoMove(unknown).kind).to.equal('stay')
    })
  })
})
