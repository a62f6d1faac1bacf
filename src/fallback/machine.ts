import { unreachable } from '../core/errors.js'
import { autoMove, breachOf, isQuiet, isUnhealthy } from './auto-layer.js'
import { applyCommand } from './command.js'
import { Draft } from './draft.js'
import { holdsLease, leaseMove, seeLease } from './lease.js'
import { adopt, mayReplace, seeStore, written } from './see-store.js'
import type { FallbackInput, FallbackState, Step, StoreSeen } from './state.js'
import { isRecovered } from './verdict.js'

type Tick = Extract<FallbackInput, { kind: 'tick' }>

/** ms for a written override to come back from a provider that is READY */
const PROOF_MS = 3000
const FIRST_RETRY_MS = 1000
const MAX_RETRY_MS = 30_000

/**
 * The fallback of one replica: pure, so that the journal's inputs, played again from `initialState`, give the same
 * transitions. Each rule answers a timeline that broke a simpler one; they are told in docs/fallback.md.
 */
export function next(state: FallbackState, input: FallbackInput): Step {
  switch (input.kind) {
    case 'tick':
      return tick(state, input)
    case 'command': {
      const draft = new Draft(state, input, input.guardrails)
      applyCommand(draft, input.command)
      draft.setStore({ retryAt: input.now })
      return draft.step
    }
    case 'written': {
      const draft = new Draft(state, input, NO_GUARDRAILS)
      written(draft, input.hash, input.revision, input.version)
      return draft.step
    }
    case 'write_failed':
      return writeFailed(state, input)
    case 'lease_written':
      return leaseWritten(state, input)
    default:
      return unreachable(input)
  }
}

/** Never read: a write's end changes no state that a guardrail rules. */
const NO_GUARDRAILS = {
  errorRate: 1,
  timeoutRate: 1,
  latencyShare: 1,
  totalMs: 1,
  minSamples: 1,
  confidence: 0,
  windowSeconds: 1,
  fastWindowSeconds: 1,
  tickMs: 1000,
  probeFailures: 1,
  holdSeconds: 1,
  maxHoldSeconds: 1,
  quietSeconds: 1,
  recoverySamples: 1,
  rampPercents: [100],
  rampStepSeconds: 1,
  leaseSeconds: 1,
}

function tick(state: FallbackState, input: Tick): Step {
  const draft = new Draft(state, input, input.guardrails, input.evidence)
  seeStore(draft, input.store)
  seeProvider(draft, input)
  draft.set({ lease: seeLease(draft.state.lease, input.lease, input.now) })
  expireManual(draft, input)
  leaveIsolation(draft)
  moveAuto(draft, input)
  prove(draft, input)
  write(draft, input.store)
  keepLease(draft)
  return draft.step
}

/** A revision that only the provider has: the file is away, or somebody feeds flagd something else. */
function seeProvider(draft: Draft, { provider, store }: Tick): void {
  const { override } = provider
  const revision = override?.revision ?? 0
  if (revision !== draft.state.provided) draft.set({ provided: revision })
  if (override === undefined || revision <= draft.state.highest) return
  const { known, store: seen } = draft.state
  if (store.kind === 'hand_edit' || (seen.dirtyAt !== null && known.actor === 'manual')) {
    draft.set({ highest: revision, known: { ...known, revision: revision + 1 } })
    return
  }
  adopt(draft, override)
  // What the file says is older now: the present state belongs into it.
  draft.rewrite()
}

/** Its time to live is over: a scoped one just goes, one for all hands over to the automatic layer, at the first step. */
function expireManual(draft: Draft, { policy, now, wall, guardrails }: Tick): void {
  const { known, timers } = draft.state
  if (known.manual.scope === 'none' || timers.manualUntilAt === null || now < timers.manualUntilAt) return
  const manual = { scope: 'none' } as const
  const told = { what: 'manual_expired', actor: 'auto' } as const
  if (known.manual.scope === 'orgs' || known.auto.state === 'fallback' || policy === 'off') {
    draft.change({ manual }, told)
    return
  }
  const trip =
    known.auto.state === 'recovering' ? known.auto.trip : { cause: 'manual' as const, value: 0, threshold: 0 }
  const percent = guardrails.rampPercents[0] ?? 100
  draft.change(
    { manual, auto: { state: 'recovering', trip, since: wall, percent }, evidenceSince: wall },
    told,
  )
  draft.forgetExecutions()
}

/** Healthy once: its word counts again. */
function leaveIsolation(draft: Draft): void {
  const { state, evidence, guardrails } = draft
  if (!state.isolated || evidence === undefined || isUnhealthy(evidence, guardrails)) return
  if (breachOf(evidence, guardrails) !== undefined || !evidence.probe.healthy) return
  if (!isRecovered(evidence.runtime.recent, guardrails) && !isQuiet(evidence, guardrails)) return
  draft.set({ isolated: false })
}

function moveAuto(draft: Draft, { policy, guardrails, jitter, now, wall }: Tick): void {
  const { state, evidence } = draft
  if (evidence === undefined) return
  const { auto, trips } = state.known
  const holder = holdsLease(state, now, guardrails)
  const { timers } = state
  const move = state.isolated
    ? ({ kind: 'stay' } as const)
    : autoMove({ auto, trips, timers, evidence, guardrails, policy, holder, jitter, now, wall })
  const wouldTrip = move.kind === 'would_trip' ? move.trip : null
  if (JSON.stringify(wouldTrip) !== JSON.stringify(state.wouldTrip)) draft.set({ wouldTrip })
  if (state.bothSick !== (move.kind === 'both_sick')) draft.set({ bothSick: move.kind === 'both_sick' })
  keepHealth(draft, now)
  switch (move.kind) {
    case 'move':
      draft.change(
        { auto: move.auto, trips: move.trips, evidenceSince: wall },
        { what: move.what, actor: 'auto' },
      )
      return
    case 'forget_trips':
      draft.change({ trips: 0 }, { actor: 'auto' })
      return
    case 'stay':
    case 'both_sick':
    case 'would_trip':
      return
    default:
      unreachable(move)
  }
}

/** In `normal`: since when nothing was wrong. */
function keepHealth(draft: Draft, now: number): void {
  const { state, evidence, guardrails } = draft
  if (state.known.auto.state !== 'normal' || evidence === undefined) return
  const isGood = breachOf(evidence, guardrails) === undefined
  if (isGood === (state.timers.goodSinceAt !== null)) return
  draft.set({ timers: { ...state.timers, goodSinceAt: isGood ? now : null } })
}

/** A written flag counts when it was seen again: one rewrite, then an alert. */
function prove(draft: Draft, { provider, now }: Tick): void {
  const { proof, provided, store } = draft.state
  if (proof === null || proof.seenAt !== null) return
  if (provided >= proof.revision) {
    draft.set({ proof: { ...proof, seenAt: now, alerted: false } })
    return
  }
  if (!provider.ready || store.dirtyAt !== null) {
    if (proof.waitingSinceAt !== null) draft.set({ proof: { ...proof, waitingSinceAt: null } })
    return
  }
  if (proof.waitingSinceAt === null) {
    draft.set({ proof: { ...proof, waitingSinceAt: now } })
    return
  }
  if (now - proof.waitingSinceAt < PROOF_MS || proof.alerted) return
  if (proof.rewritten) {
    draft.set({ proof: { ...proof, alerted: true } })
    return
  }
  draft.rewrite()
  draft.setStore({ rewrite: true })
}

/** Compare-and-set on the bytes read; a retry writes the present state. */
function write(draft: Draft, seen: StoreSeen): void {
  const { store, known } = draft.state
  if (store.dirtyAt === null || store.seen === null || seen.kind === 'failed') return
  if (draft.at.now < store.retryAt || !mayReplace(draft)) return
  draft.effects.push({
    kind: 'write',
    override: known,
    version: store.version,
    expected: store.seen,
    keepAside: store.unparsable !== null,
  })
}

function keepLease(draft: Draft): void {
  const { state, evidence, guardrails, at } = draft
  if (evidence === undefined) return
  const lease = leaseMove(state, evidence, guardrails, at.now)
  if (lease !== undefined) draft.effects.push({ kind: 'write_lease', lease })
}

/** Acts in memory; tried again with back-off, and told now: waiting would hide it. */
function writeFailed(state: FallbackState, input: Extract<FallbackInput, { kind: 'write_failed' }>): Step {
  const draft = new Draft(state, input, NO_GUARDRAILS)
  const attempts = state.store.attempts + 1
  const pause = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)) * (0.5 + input.jitter / 2)
  draft.setStore({ attempts, fault: input.fault, retryAt: input.now + pause })
  for (const transition of state.reports) draft.effects.push({ kind: 'report', transition })
  draft.set({ reports: [] })
  return draft.step
}

function leaseWritten(
  state: FallbackState,
  { hash, owner, now }: Extract<FallbackInput, { kind: 'lease_written' }>,
): Step {
  const { lease, self } = state
  const renewedAt = owner === self.owner ? now : null
  return {
    state: {
      ...state,
      lease: { seen: hash, changedAt: now, owner, counter: lease.counter + 1, renewedAt },
    },
    effects: [],
  }
}
