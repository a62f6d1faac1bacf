import { unreachable } from '../../core/errors.js'
import type { Trip } from '../../store/override/override.js'
import { insideOf, outsideOf } from '../evidence/evidence.js'
import { isRecovered, standbyTrouble } from '../evidence/verdict.js'
import { autoMove, breachOf, goesAlone, isJoined, isQuiet } from './auto-layer.js'
import { applyCommand, forgetCommands } from './command.js'
import { holdsLease, leaseMove, leaseMs, observeLease, writtenLease } from './lease.js'
import { observeProvider, prove } from './observe-provider.js'
import { mayReplace, observeStore } from './observe-store.js'
import { recordWrite } from './record-write.js'
import { forgetRefusedEdit } from './refused-edit.js'
import type { FallbackInput, FallbackState, Step, StoreSeen } from './state.js'
import { StateUpdate } from './state-update.js'
import { retryMs, shortenedHold } from './timers.js'

type Tick = Extract<FallbackInput, { kind: 'tick' }>

/**
 * The fallback of one replica: pure, so that the journal's inputs, played again from `initialState`, give the same
 * transitions. Each rule answers a timeline that broke a simpler one; they are told in docs/fallback.md.
 */
export function next(state: FallbackState, input: FallbackInput): Step {
  switch (input.kind) {
    case 'tick':
      return tick(state, input)
    case 'command': {
      const update = new StateUpdate(state, input, input.guardrails)
      applyCommand(update, { command: input.command, at: input.now, told: false })
      return update.step
    }
    case 'written': {
      const update = new StateUpdate(state, input, input.guardrails)
      recordWrite(update, input.hash, input)
      return update.step
    }
    case 'write_failed':
      return writeFailed(state, input)
    case 'lease_written':
      return { state: { ...state, lease: writtenLease(state, input) }, effects: [] }
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
  const update = new StateUpdate(state, input, input.guardrails, input.evidence)
  forgetRefusedEdit(update)
  observeStore(update, input.store)
  // What was proposed is in the store by now, or the race was lost, or the write failed: it is judged anew.
  if (update.state.proposal !== null) update.set({ proposal: null })
  observeProvider(update, input)
  update.set({ lease: observeLease(update.state.lease, input.lease, input.now) })
  expireManual(update, input)
  leaveIsolation(update, input)
  shortenHold(update)
  moveAuto(update, input)
  prove(update, input)
  write(update, input.store)
  if (input.store.kind !== 'failed') holdLease(update)
  return update.step
}

/** Its time to live is over: a scoped one just goes, one for all hands over to the automatic layer, at the first step. */
function expireManual(update: StateUpdate, { policy, now, wall, guardrails }: Tick): void {
  const { known, timers } = update.state
  if (known.manual.scope === 'none' || timers.manualUntilAt === null || now < timers.manualUntilAt) return
  forgetCommands(update, (command) => command.kind === 'trigger')
  const manual = { scope: 'none' } as const
  const told = { what: 'manual_expired', actor: 'auto' } as const
  if (known.manual.scope === 'orgs' || policy === 'off') {
    update.change({ manual }, told)
    return
  }
  if (known.auto.state === 'fallback') {
    // Nobody goes straight back: who was covered by hand alone waits for the ramp with those in its scope.
    const { scope, ...auto } = known.auto
    update.change(scope === undefined ? { manual } : { manual, auto, evidenceSince: wall }, told)
    return
  }
  const trip =
    known.auto.state === 'recovering' ? known.auto.trip : { cause: 'manual' as const, value: 0, threshold: 0 }
  const percent = guardrails.rampPercents[0] ?? 100
  update.change(
    { manual, auto: { state: 'recovering', trip, since: wall, percent }, evidenceSince: wall },
    told,
  )
}

/** Healthy once: its word counts again. And where the policy forbids a fallback, it forbids one of its own as well. */
function leaveIsolation(update: StateUpdate, { policy }: Tick): void {
  const { state, guardrails } = update
  if (!state.isolated || update.evidence === undefined) return
  if (policy === 'off') {
    update.set({ isolated: false, isolatedTo: null })
    return
  }
  const { isolatedTo } = state
  if (isolatedTo === null && isJoined(update.evidence, guardrails)) {
    // It falls back with the others.
    update.set({ isolated: false })
    return
  }
  if (isolatedTo !== null && breachOf(outsideOf(update.evidence, isolatedTo), guardrails) !== undefined) {
    update.set({ isolatedTo: null })
    return
  }
  const evidence = insideOf(update.evidence, isolatedTo ?? undefined)
  if (breachOf(evidence, guardrails) !== undefined || !evidence.probe.healthy) return
  if (!isRecovered(evidence.runtime.recent, guardrails) && !isQuiet(evidence, guardrails)) return
  update.set({ isolated: false, isolatedTo: null })
}

/** Changed guardrails bind at once. */
function shortenHold(update: StateUpdate): void {
  const { known, timers } = update.state
  const shortened = shortenedHold(known, timers, update.guardrails)
  if (shortened !== timers) update.set({ timers: shortened })
}

function moveAuto(update: StateUpdate, input: Tick): void {
  const { policy, guardrails, jitter, now, wall } = input
  const { state, evidence } = update
  if (evidence === undefined) return
  noteStandby(update)
  const { auto, trips } = state.known
  if (goesAlone({ auto, policy, evidence, guardrails })) {
    noteHealth(update, now)
    if (!state.isolated || state.isolatedTo !== null) update.set({ isolated: true, isolatedTo: null })
    return
  }
  const holder = isStoreReady(update, input) && holdsLease(state, now, leaseMs(guardrails))
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
        ...(update.holds === undefined ? {} : { holds: update.holds }),
      })
  const wouldTrip = move.kind === 'would_trip' ? sameBreach(state.wouldTrip, move.trip) : null
  if (wouldTrip !== state.wouldTrip) update.set({ wouldTrip })
  if (state.bothSick !== (move.kind === 'both_sick')) update.set({ bothSick: move.kind === 'both_sick' })
  noteHealth(update, now)
  switch (move.kind) {
    case 'trip':
      update.trip(
        { auto: move.auto, trips: move.trips, evidenceSince: wall },
        { what: move.what, actor: 'auto' },
      )
      return
    case 'towards_runtime':
      update.propose({ auto: move.auto, evidenceSince: wall }, move.what)
      return
    case 'policy_off':
      update.change({ auto: { state: 'normal' }, evidenceSince: wall }, { what: 'policy_off', actor: 'auto' })
      return
    case 'forget_trips':
      update.change({ trips: 0 }, { actor: 'auto' })
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
function noteStandby(update: StateUpdate): void {
  const { state, evidence, guardrails } = update
  if (evidence === undefined) return
  const now = standbyTrouble(evidence, guardrails) ?? null
  if (now?.kind === state.standby?.kind) return
  update.set({ standby: now })
}

/** One that lasts stays as it was found, whatever its value since: it is new when its cause or threshold is another. */
function sameBreach(before: Trip | null, now: Trip): Trip {
  const isSame = before !== null && before.cause === now.cause && before.threshold === now.threshold
  return isSame ? before : now
}

/** May a move towards the runtime be tried: nothing of ours is on its way, and the store is there and as it should be. */
function isStoreReady({ state }: StateUpdate, { store, now }: Tick): boolean {
  const { dirtyAt, unparsable, retryAt } = state.store
  return store.kind !== 'failed' && dirtyAt === null && unparsable === null && now >= retryAt
}

/** In `normal`: since when nothing was wrong. */
function noteHealth(update: StateUpdate, now: number): void {
  const { state, evidence, guardrails } = update
  if (state.known.auto.state !== 'normal' || evidence === undefined) return
  const isGood = breachOf(evidence, guardrails) === undefined
  if (isGood === (state.timers.goodSinceAt !== null)) return
  update.set({ timers: { ...state.timers, goodSinceAt: isGood ? now : null } })
}

/**
 * Compare-and-set on the bytes read last; a retry writes the present state. A read that is late holds nothing back: the
 * store looks again under its lock, and refuses where those bytes are there no more.
 */
function write(update: StateUpdate, seen: StoreSeen): void {
  const { store, known, proposal } = update.state
  const isPending = store.dirtyAt !== null || proposal !== null
  const mayWrite = seen.kind !== 'failed' || seen.isLate === true
  if (
    !isPending ||
    !mayWrite ||
    store.seen === null ||
    update.at.now < store.retryAt ||
    !mayReplace(update)
  ) {
    if (seen.kind === 'failed') tellAll(update)
    return
  }
  update.effects.push({
    kind: 'write',
    override: proposal?.override ?? known,
    version: proposal?.version ?? store.version,
    expected: store.seen,
    keepAside: store.unparsable !== null,
  })
}

/** It acts here, and cannot get into the store for now: waiting would hide it. */
function tellAll(update: StateUpdate): void {
  const { reports, commands } = update.state
  if (reports.length === 0) return
  for (const { transition } of reports) update.effects.push({ kind: 'report', transition })
  update.set({ reports: [], commands: commands.map((pending) => ({ ...pending, told: true })) })
}

function holdLease(update: StateUpdate): void {
  const { state, evidence, guardrails, at } = update
  if (evidence === undefined) return
  const lease = leaseMove(state, evidence, guardrails, at.now)
  if (lease === undefined) return
  update.effects.push({ kind: 'write_lease', lease })
  update.set({ lease: { ...state.lease, askedAt: at.now } })
}

/** Acts in memory; tried again with back-off. */
function writeFailed(state: FallbackState, input: Extract<FallbackInput, { kind: 'write_failed' }>): Step {
  const update = new StateUpdate(state, input, NO_GUARDRAILS)
  const attempts = state.store.attempts + 1
  update.setStore({ attempts, fault: input.fault, retryAt: input.now + retryMs(attempts, input.jitter) })
  tellAll(update)
  return update.step
}
