import { unreachable } from '../../core/errors.js'
import type { Trip } from '../../store/override/override.js'
import { insideOf, outsideOf } from '../evidence/evidence.js'
import { isRecovered, standbyTrouble } from '../evidence/verdict.js'
import { autoMove, breachOf, isQuiet } from './auto-layer.js'
import { applyCommand, forgetCommands } from './command.js'
import { Draft } from './draft.js'
import { holdsLease, leaseMove, leaseMs, seeLease } from './lease.js'
import { forgetRefusedEdit } from './refused-edit.js'
import { prove, seeProvider } from './see-provider.js'
import { mayReplace, seeStore } from './see-store.js'
import type { FallbackInput, FallbackState, Step, StoreSeen } from './state.js'
import { shortenedHold } from './timers.js'
import { written } from './written.js'

type Tick = Extract<FallbackInput, { kind: 'tick' }>

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
      applyCommand(draft, { command: input.command, at: input.now, told: false })
      draft.setStore({ retryAt: input.now })
      return draft.step
    }
    case 'written': {
      const draft = new Draft(state, input, input.guardrails)
      written(draft, input.hash, input)
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

/** Never read: a write that failed changes no state that a guardrail rules. */
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
  scoped: true,
  consecutiveFailures: 1,
  firstContentP95Ms: null,
}

function tick(state: FallbackState, input: Tick): Step {
  const draft = new Draft(state, input, input.guardrails, input.evidence)
  forgetRefusedEdit(draft)
  seeStore(draft, input.store)
  // What was proposed is in the store by now, or the race was lost, or the write failed: it is judged anew.
  if (draft.state.proposal !== null) draft.set({ proposal: null })
  seeProvider(draft, input)
  draft.set({ lease: seeLease(draft.state.lease, input.lease, input.now) })
  expireManual(draft, input)
  leaveIsolation(draft, input)
  shortenHold(draft)
  moveAuto(draft, input)
  prove(draft, input)
  write(draft, input.store)
  if (input.store.kind !== 'failed') holdLease(draft)
  return draft.step
}

/** Its time to live is over: a scoped one just goes, one for all hands over to the automatic layer, at the first step. */
function expireManual(draft: Draft, { policy, now, wall, guardrails }: Tick): void {
  const { known, timers } = draft.state
  if (known.manual.scope === 'none' || timers.manualUntilAt === null || now < timers.manualUntilAt) return
  forgetCommands(draft, (command) => command.kind === 'trigger')
  const manual = { scope: 'none' } as const
  const told = { what: 'manual_expired', actor: 'auto' } as const
  if (known.manual.scope === 'orgs' || policy === 'off') {
    draft.change({ manual }, told)
    return
  }
  if (known.auto.state === 'fallback') {
    // Nobody goes straight back: who was covered by hand alone waits for the ramp with those in its scope.
    const { scope, ...auto } = known.auto
    draft.change(scope === undefined ? { manual } : { manual, auto, evidenceSince: wall }, told)
    return
  }
  const trip =
    known.auto.state === 'recovering' ? known.auto.trip : { cause: 'manual' as const, value: 0, threshold: 0 }
  const percent = guardrails.rampPercents[0] ?? 100
  draft.change(
    { manual, auto: { state: 'recovering', trip, since: wall, percent }, evidenceSince: wall },
    told,
  )
}

/** Healthy once: its word counts again. And where the policy forbids a fallback, it forbids one of its own as well. */
function leaveIsolation(draft: Draft, { policy }: Tick): void {
  const { state, guardrails } = draft
  if (!state.isolated || draft.evidence === undefined) return
  if (policy === 'off') {
    draft.set({ isolated: false, isolatedTo: null })
    return
  }
  const { isolatedTo } = state
  if (isolatedTo !== null && breachOf(outsideOf(draft.evidence, isolatedTo), guardrails) !== undefined) {
    draft.set({ isolatedTo: null })
    return
  }
  const evidence = insideOf(draft.evidence, isolatedTo ?? undefined)
  if (breachOf(evidence, guardrails) !== undefined || !evidence.probe.healthy) return
  if (!isRecovered(evidence.runtime.recent, guardrails) && !isQuiet(evidence, guardrails)) return
  draft.set({ isolated: false, isolatedTo: null })
}

/** Changed guardrails bind at once. */
function shortenHold(draft: Draft): void {
  const { known, timers } = draft.state
  const shortened = shortenedHold(known, timers, draft.guardrails)
  if (shortened !== timers) draft.set({ timers: shortened })
}

function moveAuto(draft: Draft, input: Tick): void {
  const { policy, guardrails, jitter, now, wall } = input
  const { state, evidence } = draft
  if (evidence === undefined) return
  noteStandby(draft)
  const { auto, trips } = state.known
  const holder = isStoreReady(draft, input) && holdsLease(state, now, leaseMs(guardrails))
  const { timers } = state
  const move = state.isolated
    ? ({ kind: 'stay' } as const)
    : autoMove({
        auto,
        trips,
        timers,
        evidence,
        guardrails,
        policy,
        holder,
        jitter,
        now,
        wall,
        ...(draft.holds === undefined ? {} : { holds: draft.holds }),
      })
  const wouldTrip = move.kind === 'would_trip' ? sameBreach(state.wouldTrip, move.trip) : null
  if (wouldTrip !== state.wouldTrip) draft.set({ wouldTrip })
  if (state.bothSick !== (move.kind === 'both_sick')) draft.set({ bothSick: move.kind === 'both_sick' })
  noteHealth(draft, now)
  switch (move.kind) {
    case 'trip':
      draft.trip(
        { auto: move.auto, trips: move.trips, evidenceSince: wall },
        { what: move.what, actor: 'auto' },
      )
      return
    case 'towards_runtime':
      draft.propose({ auto: move.auto, evidenceSince: wall }, move.what)
      return
    case 'policy_off':
      draft.change({ auto: { state: 'normal' }, evidenceSince: wall }, { what: 'policy_off', actor: 'auto' })
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

/** One that lasts stays as it was found: its alert is told once. */
function noteStandby(draft: Draft): void {
  const { state, evidence, guardrails } = draft
  if (evidence === undefined) return
  const now = standbyTrouble(evidence, guardrails) ?? null
  if (now?.kind === state.standby?.kind) return
  draft.set({ standby: now })
}

/** One that lasts stays as it was found, whatever its value since: it is new when its cause or threshold is another. */
function sameBreach(before: Trip | null, now: Trip): Trip {
  const isSame = before !== null && before.cause === now.cause && before.threshold === now.threshold
  return isSame ? before : now
}

/** May a move towards the runtime be tried: nothing of ours is on its way, and the store is there and as it should be. */
function isStoreReady({ state }: Draft, { store, now }: Tick): boolean {
  const { dirtyAt, unparsable, retryAt } = state.store
  return store.kind !== 'failed' && dirtyAt === null && unparsable === null && now >= retryAt
}

/** In `normal`: since when nothing was wrong. */
function noteHealth(draft: Draft, now: number): void {
  const { state, evidence, guardrails } = draft
  if (state.known.auto.state !== 'normal' || evidence === undefined) return
  const isGood = breachOf(evidence, guardrails) === undefined
  if (isGood === (state.timers.goodSinceAt !== null)) return
  draft.set({ timers: { ...state.timers, goodSinceAt: isGood ? now : null } })
}

/**
 * Compare-and-set on the bytes read last; a retry writes the present state. A read that is late holds nothing back: the
 * store looks again under its lock, and refuses where those bytes are there no more.
 */
function write(draft: Draft, seen: StoreSeen): void {
  const { store, known, proposal } = draft.state
  const isPending = store.dirtyAt !== null || proposal !== null
  const mayWrite = seen.kind !== 'failed' || seen.isLate === true
  if (!isPending || !mayWrite || store.seen === null || draft.at.now < store.retryAt || !mayReplace(draft)) {
    if (seen.kind === 'failed') tellAll(draft)
    return
  }
  draft.effects.push({
    kind: 'write',
    override: proposal?.override ?? known,
    version: proposal?.version ?? store.version,
    expected: store.seen,
    keepAside: store.unparsable !== null,
  })
}

/** It acts here, and cannot get into the store for now: waiting would hide it. */
function tellAll(draft: Draft): void {
  const { reports, commands } = draft.state
  if (reports.length === 0) return
  for (const { transition } of reports) draft.effects.push({ kind: 'report', transition })
  draft.set({ reports: [], commands: commands.map((pending) => ({ ...pending, told: true })) })
}

function holdLease(draft: Draft): void {
  const { state, evidence, guardrails, at } = draft
  if (evidence === undefined) return
  const lease = leaseMove(state, evidence, guardrails, at.now)
  if (lease === undefined) return
  draft.effects.push({ kind: 'write_lease', lease })
  draft.set({ lease: { ...state.lease, askedAt: at.now } })
}

/** Acts in memory; tried again with back-off. */
function writeFailed(state: FallbackState, input: Extract<FallbackInput, { kind: 'write_failed' }>): Step {
  const draft = new Draft(state, input, NO_GUARDRAILS)
  const attempts = state.store.attempts + 1
  const pause = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1)) * (0.5 + input.jitter / 2)
  draft.setStore({ attempts, fault: input.fault, retryAt: input.now + pause })
  tellAll(draft)
  return draft.step
}

function leaseWritten(
  state: FallbackState,
  { hash, owner, now }: Extract<FallbackInput, { kind: 'lease_written' }>,
): Step {
  const { lease, self } = state
  const renewedAt = owner === self.owner ? (lease.askedAt ?? now) : null
  return {
    state: {
      ...state,
      lease: { ...lease, seen: hash, changedAt: now, owner, counter: lease.counter + 1, renewedAt },
    },
    effects: [],
  }
}
