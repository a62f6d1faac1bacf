import { expect } from 'chai'
import {
  holdsLease,
  leaseMove,
  leaseMs,
  observeLease,
  writtenLease,
} from '../../../src/fallback/machine/lease.js'
import { type FallbackState, initialState, type LeaseState } from '../../../src/fallback/machine/state.js'
import type { AutoLayer } from '../../../src/store/override/override.js'
import { CALM, DEAD, FAILING, GUARDRAILS, QUIET, tally } from './driven.js'

const NOW = 1_000_000
const LEASE_MS = 15_000
const FALLBACK: AutoLayer = {
  state: 'fallback',
  trip: { cause: 'health', value: 2, threshold: 2 },
  since: 0,
  holdUntil: 30_000,
}
const RECOVERING: AutoLayer = { state: 'recovering', trip: FALLBACK.trip, since: 0, percent: 5 }

interface Part {
  readonly lease?: Partial<LeaseState>
  readonly auto?: AutoLayer
  readonly holdUntilAt?: number
  /** the override is this replica's */
  readonly ours?: boolean
  readonly isolated?: boolean
}

function state({
  lease = {},
  auto = FALLBACK,
  holdUntilAt = 0,
  ours = false,
  isolated = false,
}: Part): FallbackState {
  const initial = initialState({ replica: 'r1', owner: 'r1#n' }, 0)
  return {
    ...initial,
    isolated,
    known: { ...initial.known, auto, replica: ours ? 'r1' : 'r2' },
    timers: { ...initial.timers, holdUntilAt },
    lease: { ...initial.lease, seen: 'h1', changedAt: NOW - 1000, owner: 'r2#n', ...lease },
  }
}

const ownerAfter = (part: Part, evidence = CALM): string | null | undefined =>
  leaseMove(state(part), evidence, GUARDRAILS, NOW)?.owner

const OURS = { owner: 'r1#n', changedAt: NOW - 6000, askedAt: NOW - 6010, renewedAt: NOW - 6010 }
const EXPIRED = { owner: 'r2#n', changedAt: NOW - LEASE_MS }

describe('the lease', () => {
  it('is wanted by nobody while the automatic layer is normal', () => {
    expect(ownerAfter({ auto: { state: 'normal' }, lease: EXPIRED })).to.equal(undefined)
  })

  it('is let go by its holder in normal', () => {
    expect(ownerAfter({ auto: { state: 'normal' }, lease: OURS })).to.equal(null)
  })

  it('is taken where it is nobody’s, or has not changed for its time', () => {
    expect(ownerAfter({ lease: { owner: null } })).to.equal('r1#n')
    expect(ownerAfter({ lease: EXPIRED })).to.equal('r1#n')
    expect(ownerAfter({ lease: { ...EXPIRED, changedAt: NOW - LEASE_MS + 1 } })).to.equal(undefined)
  })

  it('is taken by nobody who has not read it', () => {
    expect(ownerAfter({ lease: { seen: null, owner: null } })).to.equal(undefined)
  })

  it('is taken over by a healthy replica only', () => {
    expect(ownerAfter({ lease: EXPIRED }, DEAD)).to.equal(undefined)
    expect(ownerAfter({ lease: EXPIRED, isolated: true })).to.equal(undefined)
    const failing = { ...FAILING, runtime: { ...FAILING.runtime, recent: tally(5, 5) } }
    expect(ownerAfter({ lease: EXPIRED }, failing)).to.equal(undefined)
  })

  it('is taken by who has just tripped, for the time of the hold', () => {
    expect(ownerAfter({ lease: EXPIRED, ours: true, holdUntilAt: NOW + 1 }, DEAD)).to.equal('r1#n')
    expect(ownerAfter({ lease: EXPIRED, ours: true, holdUntilAt: NOW }, DEAD)).to.equal(undefined)
    expect(ownerAfter({ lease: EXPIRED, ours: false, holdUntilAt: NOW + 1 }, DEAD)).to.equal(undefined)
  })

  it('is renewed from exactly a third of its time on', () => {
    expect(ownerAfter({ lease: { ...OURS, renewedAt: NOW - LEASE_MS / 3 } })).to.equal('r1#n')
    expect(ownerAfter({ lease: { ...OURS, renewedAt: NOW - LEASE_MS / 3 + 1 } })).to.equal(undefined)
  })

  it('is renewed after a third of its time', () => {
    expect(ownerAfter({ lease: OURS })).to.equal('r1#n')
    expect(ownerAfter({ lease: { ...OURS, renewedAt: NOW - 4999 } })).to.equal(undefined)
  })

  it('is renewed by an unhealthy holder as long as the hold, and no longer', () => {
    expect(ownerAfter({ lease: OURS, holdUntilAt: NOW + 1 }, DEAD)).to.equal('r1#n')
    expect(ownerAfter({ lease: OURS, holdUntilAt: NOW }, DEAD)).to.equal(undefined)
    expect(ownerAfter({ lease: OURS, auto: RECOVERING }, DEAD)).to.equal(undefined)
  })

  it('is given up by a holder whose probes are good and whose executions fail', () => {
    const failing = { ...CALM, runtime: { ...CALM.runtime, recent: tally(5, 2) } }
    expect(ownerAfter({ lease: OURS, holdUntilAt: NOW }, failing)).to.equal(undefined)
    const fewer = { ...CALM, runtime: { ...CALM.runtime, recent: tally(4, 4) } }
    expect(ownerAfter({ lease: OURS, holdUntilAt: NOW }, fewer)).to.equal('r1#n')
  })

  it('is kept in a quiet time, when the last executions are of no use any more', () => {
    const failing = { ...QUIET, runtime: { ...CALM.runtime, recent: tally(5, 5) } }
    expect(ownerAfter({ lease: OURS }, failing)).to.equal('r1#n')
    expect(ownerAfter({ lease: EXPIRED }, failing)).to.equal('r1#n')
  })

  it('is asked for again only after a pause where nothing came of it', () => {
    const asked = { ...EXPIRED, askedAt: NOW - 2499 }
    expect(ownerAfter({ lease: asked })).to.equal(undefined)
    expect(ownerAfter({ lease: { ...asked, askedAt: NOW - 2500 } })).to.equal('r1#n')
  })

  it('is asked for at once where it changed since the last try', () => {
    expect(ownerAfter({ lease: { owner: null, askedAt: NOW - 2000, changedAt: NOW - 1000 } })).to.equal(
      'r1#n',
    )
    expect(ownerAfter({ lease: { owner: null, askedAt: NOW - 2000, changedAt: NOW - 2000 } })).to.equal(
      'r1#n',
    )
  })

  it('is written over what was read, with another count each time', () => {
    const write = leaseMove(state({ lease: { ...EXPIRED, counter: 7 } }), CALM, GUARDRAILS, NOW)
    expect(write).to.deep.equal({ owner: 'r1#n', counter: 8, expected: 'h1' })
    const written = { hash: 'h2', owner: 'r1#n', now: NOW }
    expect(writtenLease(state({ lease: { ...EXPIRED, counter: 7 } }), written)).to.deep.include({
      counter: 8,
    })
  })

  it('counts for its holder for two thirds of its time, from when the renewal was asked for', () => {
    const mine = state({ lease: { ...OURS, renewedAt: NOW - 9999 } })
    expect(holdsLease(mine, NOW, LEASE_MS)).to.equal(true)
    expect(holdsLease(mine, NOW + 1, LEASE_MS)).to.equal(false)
    expect(holdsLease(state({ lease: { ...OURS, owner: 'r2#n' } }), NOW, LEASE_MS)).to.equal(false)
    expect(holdsLease(state({ lease: { ...OURS, renewedAt: null } }), NOW, LEASE_MS)).to.equal(false)
    expect(holdsLease(state({ lease: { ...OURS, renewedAt: null } }), 1, LEASE_MS)).to.equal(false)
  })

  it('lasts some ticks at least', () => {
    expect(leaseMs(GUARDRAILS)).to.equal(15_000)
    expect(leaseMs({ leaseSeconds: 1, tickMs: 1000 })).to.equal(6000)
  })
})

describe('the lease as read', () => {
  const before: LeaseState = {
    ...initialState({ replica: 'r1', owner: 'r1#n' }, 0).lease,
    seen: 'h1',
    changedAt: 5,
  }

  it('runs anew from the first sight of another content', () => {
    const after = observeLease(before, { kind: 'lease', hash: 'h2', owner: 'r2#n' }, NOW)
    expect(after).to.deep.include({ seen: 'h2', changedAt: NOW, owner: 'r2#n' })
    expect(observeLease(after, { kind: 'lease', hash: 'h2', owner: 'r2#n' }, NOW + 1)).to.equal(after)
  })

  it('is nobody’s where it is missing, and as it was where it cannot be read', () => {
    expect(observeLease(before, { kind: 'missing' }, NOW)).to.deep.include({ seen: 'missing', owner: null })
    expect(observeLease(before, { kind: 'failed' }, NOW)).to.equal(before)
  })
})
