import { isDeepStrictEqual } from 'node:util'
import { type Evidence, type FallbackGuardrails, insideOf } from '../../../src/fallback/evidence/evidence.js'
import { parseLease } from '../../../src/fallback/loop/lease-file.js'
import { holdMs } from '../../../src/fallback/machine/hold-time.js'
import { next } from '../../../src/fallback/machine/machine.js'
import {
  type FallbackInput,
  type FallbackState,
  judgedScope,
  type Step,
} from '../../../src/fallback/machine/state.js'
import type { Transition } from '../../../src/journal/journal.js'
import type { Tally } from '../../../src/metrics/windows/windows.js'
import { isTripKind } from '../../../src/protocol/fallback.js'
import { covers, includesScope, type ScopeSubject } from '../../../src/protocol/fallback-scope.js'
import { type Override, scopeOfAuto } from '../../../src/store/override/override.js'
import { type Content, parsedOf, revisionOf } from './content.js'
import type { SimReplica } from './replica.js'
import type { World } from './world.js'

/** What a schedule must never show; the message names the rule. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** A clock runs at most 1% fast, and instants are whole ms. */
const DRIFT = 0.985
const ROUNDING_MS = 20
/** true ms in which a process knows nothing yet, where nothing can be read */
const NEW_MS = 500
/** the policy `off` is obeyed by everyone's next tick */
const OFF_MS = 6000
/** true ms within which a replica whose runtime is dead answers by the direct LLM: two probes, a tick, a slow one before it */
const DEAD_MS = 10_000
/** the same where probes are good and executions fail */
const BROKEN_MS = 25_000

/** Each org with each agent. */
const SUBJECTS = ['a', 'b', 'c'].flatMap((orgId) => ['x', 'y', 'z'].map((agentId) => ({ orgId, agentId })))

const TOWARDS_RUNTIME = new Set(['recovery_begun', 'ramp_step', 'recovered'])
/** what may rightly end or shorten a fallback without a lease */
const EXCUSES = new Set(['reset', 'hand_edit', 'manual_expired', 'policy_off', 'triggered'])
const PERSON = new Set(['reset', 'hand_edit', 'triggered'])

/** The rules, held against each thing that happens. One for a schedule. */
export class Checks {
  /** fallbacks by who began them when: true time, and the hold in ms */
  readonly #holds = new Map<string, { readonly at: number; readonly holdMs: number }>()
  /** ramp steps: true time of the first sight of each in the store, or of a manual fallback's end */
  readonly #steps = new Map<string, number>()
  /** manual layers by their reason: true time, and time to live in ms */
  readonly #manuals = new Map<string, { readonly at: number; readonly ttlMs: number | undefined }>()
  readonly #late = new WeakSet<SimReplica>()
  readonly #pending = new WeakMap<SimReplica, Set<string>>()
  /** evidence (by its instant) that was sound when it tripped first */
  readonly #soundTrips = new WeakMap<SimReplica, number>()
  /** commands by who gave them: how often they were told */
  readonly #commands = new Map<string, { readonly replica: SimReplica; told: number }>()
  /** the fallback that was written last, and whether anything since may rightly have cut it short */
  #lastFallback:
    | { readonly key: string; readonly trips: number; readonly at: number; readonly holdMs: number }
    | undefined
  #wasCutShort = false
  readonly kinds = new Map<string, number>()
  readonly trace: string[] = []
  tracing = false
  transitions = 0
  leastStepMs = Number.POSITIVE_INFINITY
  /** the shortest that the guardrails ever asked for: a shorter hold binds at once */
  #leastHoldSeconds = Number.POSITIVE_INFINITY

  constructor(private readonly world: World) {}

  triggered(reason: string, ttlSeconds: number | undefined): void {
    const ttlMs = ttlSeconds === undefined ? undefined : ttlSeconds * 1000
    this.#manuals.set(reason, { at: this.world.now, ttlMs })
  }

  /** `userId` is of this command alone. */
  commanded(replica: SimReplica, userId: string): void {
    this.#commands.set(userId, { replica, told: 0 })
  }

  /** (m): each command of a replica that lives was told, once. */
  allTold(replicas: Iterable<SimReplica>): void {
    const alive = new Set(replicas)
    for (const [userId, { replica, told }] of this.#commands)
      if (told > 1 || (told === 0 && alive.has(replica)))
        this.#fail(`(m) command ${userId} was told ${told} times`)
  }

  /** A person's edit with an end in it: an instant by whoever's wall clock. */
  edited(reason: string): void {
    this.#manuals.set(reason, { at: this.world.now, ttlMs: 0 })
  }

  note(text: string): void {
    if (this.tracing) this.trace.push(`${(this.world.now / 1000).toFixed(3)} ${text}`)
  }

  /** One call of the machine that changed something. */
  decided(replica: SimReplica, before: FallbackState, step: Step, input: FallbackInput): void {
    const { state } = step
    const told = newTransitions(before, step)
    // A round goes by the guardrails that it began with.
    const used = 'guardrails' in input ? [input.guardrails, this.world.guardrails] : [this.world.guardrails]
    for (const { rampStepSeconds, holdSeconds } of used) {
      this.leastStepMs = Math.min(this.leastStepMs, rampStepSeconds * 1000)
      this.#leastHoldSeconds = Math.min(this.#leastHoldSeconds, holdSeconds)
    }
    for (const effect of step.effects) {
      const userId = effect.kind === 'report' ? effect.transition.userId : undefined
      const command = userId === undefined ? undefined : this.#commands.get(userId)
      if (command !== undefined) command.told += 1
    }
    if (!before.isolated && state.isolated) this.#count('isolated')
    if (before.store.tripped !== null && step.effects.some(({ kind }) => kind === 'adopted'))
      this.#count('lost trip')
    this.#noteStep(replica, before, step, input, told)
    const pending = this.#pendingOf(replica)
    for (const transition of told) {
      this.transitions += 1
      pending.add(transition.kind ?? '')
      this.#count(transition.kind ?? '')
      if (transition.scope !== undefined) this.#count(`${transition.kind} of ${transition.scope.dimension}`)
      const isJoin = adoptedIn(step) !== undefined
      this.#transition(replica, before, transition, input, isJoin)
    }
    const isSettled = state.store.dirtyAt === null
    if (input.kind === 'tick' && input.policy === 'off' && told.some(({ kind }) => kind === 'relapse'))
      this.#fail('a trip under policy off')
    this.#breachKeptOnce(before, state)
    if (input.kind === 'tick') this.#tripKept(before, step, input, told)
    this.#manualKept(before, step, told)
    this.#towardsRuntime(before, step, told)
    if (isSettled) pending.clear()
  }

  /** A machine's content came into the store. */
  landed(replica: SimReplica, override: Override, isProposal: boolean, before: Content | undefined): void {
    const { world } = this
    const text = world.override?.text ?? ''
    const parsed = parsedOf(text)
    this.note(`${replica.host.name} wrote ${short(override)}${isProposal ? ' (proposal)' : ''}`)
    if (parsed.kind !== 'override') this.#fail(`(b) what was written does not parse: ${parsed.kind}`)
    else if (!isDeepStrictEqual(parsed.override, JSON.parse(JSON.stringify(override))))
      this.#fail('(b) what was written reads differently')
    const replaced = before === undefined ? undefined : revisionOf(before.text)
    if (replaced !== undefined && override.revision <= replaced)
      this.#fail(`(b) revision ${override.revision} over ${replaced}`)
    const isBlind = before === undefined || parsedOf(before.text).kind === 'unparsable'
    if (isBlind && override.revision < world.highest && world.now - replica.startedAt < NEW_MS)
      this.#fail('(c) who has just started wrote before those who know more')
    const { auto, manual } = override
    if (manual.scope === 'orgs' && manual.target.kind === 'orgs' && manual.target.orgIds.length === 0)
      this.#fail('(c) the orgs of a manual layer are lost')
    this.#notFlapping(replica, override)
    if (isProposal) this.#proposalLanded(replica, before)
    else if (before?.author === 'machine') this.#nothingSlippedIn(replica, before, override)
    if (auto.state === 'recovering') this.#noteRamp(auto)
  }

  #noteRamp(auto: Extract<Override['auto'], { state: 'recovering' }>): void {
    const key = stepKey(auto)
    if (!this.#steps.has(key)) this.#steps.set(key, this.world.now)
  }

  roundEnded(replica: SimReplica): void {
    this.#deadIsDirect(replica)
    const { world } = this
    const { known, isolated, highest } = replica.state
    if (highest < replica.providedAtStart) this.#fail('(g) what the provider shows is not followed')
    const since = Math.max(world.policyAt, replica.startedAt, replica.host.stoppedUntil)
    if (world.policy === 'off' && world.now - since > OFF_MS && (known.auto.state !== 'normal' || isolated))
      this.#fail('(d) a fallback goes on under policy off')
  }

  /** What was kept, played again, gives the same. */
  replayed(replica: SimReplica): void {
    let state: FallbackState = JSON.parse(JSON.stringify(replica.initial))
    for (const input of replica.inputs) state = next(state, JSON.parse(input)).state
    // By way of JSON, as a state would be kept: what does not survive that has no place in it.
    if (!isDeepStrictEqual(state, JSON.parse(JSON.stringify(replica.state))))
      this.#fail('(i) the replay ends in another state')
  }

  fail(message: string): never {
    return this.#fail(message)
  }

  // -- (d), (j), (k): each transition for itself

  #transition(
    replica: SimReplica,
    before: FallbackState,
    transition: Transition,
    input: FallbackInput,
    isJoin: boolean,
  ): void {
    const { world } = this
    const { kind } = transition
    if (kind === 'hand_edit' && replica.reading?.author !== 'person')
      this.#fail('(c) taken for a hand edit, and written by a machine')
    if (input.kind !== 'tick' || before.reports.some((report) => report.transition === transition)) return
    const { guardrails, policy } = input
    const evidence = transition.evidence as Evidence
    if (kind === 'trip' || kind === 'relapse' || (kind === 'widened' && !isJoin))
      this.#toNoWorseSide(transition, evidence, guardrails)
    if (kind === 'widened') {
      this.#holds.set(`${transition.at}:${transition.trips}`, {
        at: world.now,
        holdMs: (transition.holdUntil ?? 0) - transition.at,
      })
      // What joins another one's is judged before that is known.
      if (!isJoin) this.#leftovers(replica, transition, evidence)
      if (!isJoin && !isBreachOfAny(evidence, transition, guardrails))
        this.#fail('(j) widened without a breach')
      if (policy !== 'auto') this.#fail(`(d) widened under ${policy}`)
    }
    if (kind === 'trip' || kind === 'relapse') {
      if (kind === 'trip' && policy !== 'auto') this.#fail(`(d) a trip under ${policy}`)
      if (!isBreachOfAny(evidence, transition, guardrails)) this.#fail(`(j) ${kind} without a breach`)
      this.#leftovers(replica, transition, evidence)
      if (kind === 'relapse' && before.known.auto.state === 'fallback' && isIdle(before))
        this.#fail('(f) who never was well again ended the recovery of the others')
      const { holdUntil, at, trips } = transition
      if (holdUntil === undefined) return
      this.#holds.set(`${at}:${trips}`, { at: world.now, holdMs: holdUntil - at })
    }
    if (kind !== undefined && TOWARDS_RUNTIME.has(kind)) {
      if (!evidence.probe.healthy) this.#fail(`(j) ${kind} with bad probes`)
      const isForced = kind === 'recovery_begun' && isStandbySick(evidence, guardrails)
      if (!isForced && !mayRecover(insideOf(evidence, scopeOfAuto(before.known.auto)), guardrails))
        this.#fail(`(j) ${kind} without evidence`)
    }
    // One that a person's edit brought has its end by whoever's wall clock; one that is tried again may be over at once.
    if (
      kind === 'manual_expired' &&
      before.commands.length === 0 &&
      input.store.kind !== 'hand_edit' &&
      replica.reading?.author !== 'person'
    )
      this.#ttlOver(before)
  }

  /** (q): nobody is sent to a direct LLM that is known to be unhealthy, unless the runtime is dead and the direct LLM can be used. */
  #toNoWorseSide({ kind, cause }: Transition, evidence: Evidence, guardrails: FallbackGuardrails): void {
    if (!isStandbySick(evidence, guardrails)) return
    if (cause !== 'health' || evidence.standby?.unusable === true)
      this.#fail(`(q) ${kind} by ${cause} towards an unhealthy direct LLM`)
    this.#count('tripped from a dead runtime to an unhealthy direct LLM')
  }

  #leftovers(replica: SimReplica, { cause }: Transition, evidence: Evidence): void {
    if (cause === 'health') return
    const isSound = evidence.at > replica.restartedAt
    if (!isSound && this.#soundTrips.get(replica) !== evidence.at)
      this.#fail('(k) tripped by executions that were forgotten')
    if (isSound) this.#soundTrips.set(replica, evidence.at)
  }

  #ttlOver({ known: { manual } }: FallbackState): void {
    const known = manual.scope === 'none' ? undefined : this.#manuals.get(manual.reason)
    if (known === undefined) return
    if (known.ttlMs === undefined) this.#fail('(c) a manual layer without a time to live expired')
    const age = this.world.now - known.at
    if (age < (known.ttlMs ?? 0) * DRIFT - ROUNDING_MS)
      this.#fail(`(c) a manual layer expired after ${age} ms`)
  }

  /** (p): a trip that is not in the store is given up only for a person, when its executions breach no more, or alone. */
  #tripKept(
    before: FallbackState,
    { state, effects }: Step,
    { evidence, guardrails, policy }: FallbackInput & { kind: 'tick' },
    told: readonly Transition[],
  ): void {
    const {
      store: { tripped },
      epoch: { executionsAt },
    } = before
    if (tripped === null || isAnswered(before.known.auto, state.known.auto)) return
    const isPerson =
      effects.some(({ kind }) => kind === 'reset_health') || told.some(({ kind = '' }) => PERSON.has(kind))
    // Judged anew, it may be for fewer, or for more.
    if (told.some(({ kind }) => kind !== undefined && isTripKind(kind))) return
    const isForgotten = executionsAt !== null && evidence.at <= executionsAt
    if (isPerson || isForgotten || policy !== 'auto' || state.bothSick || state.isolated) return
    const theirs = insideOf(evidence, judgedScope(before))
    for (const cause of ['error_rate', 'timeout_rate', 'latency'] as const)
      if (isBreach(theirs, { cause }, guardrails)) this.#fail('(p) its own trip is given up')
  }

  /** (n): under `observe` a breach that lasts is one, whatever its value. */
  #breachKeptOnce({ wouldTrip: before }: FallbackState, { wouldTrip: after }: FallbackState): void {
    if (before === null || after === null || isDeepStrictEqual(before, after)) return
    if (before.cause === after.cause && before.threshold === after.threshold)
      this.#fail('(n) a lasting breach is kept again')
  }

  /** (o): what waits for the store goes there in each round that may reach it, also where its read was late. */
  ticked({ state, effects }: Step, { store, now }: FallbackInput & { kind: 'tick' }): void {
    const { dirtyAt, seen, retryAt, unparsable, yieldUntilAt } = state.store
    if (dirtyAt === null || seen === null || (store.kind === 'failed' && store.isLate !== true)) return
    if (now < retryAt || unparsable !== null || yieldUntilAt !== null || state.fromProvider) return
    if (!effects.some(({ kind }) => kind === 'write')) this.#fail('(o) a write is held back')
    if (store.kind === 'failed') this.#count('written late')
  }

  // -- (c), (e): what this replica decided itself

  #manualKept(before: FallbackState, step: Step, told: readonly Transition[]): void {
    if (!isDecidedHere(before, step.state) || before.known.manual.scope === 'none' || before.starting) return
    if (
      isRepeatedReset(before) ||
      step.state.known.manual.scope !== 'none' ||
      adoptedIn(step)?.manualTo === 'none'
    )
      return
    if (!told.some(({ kind = '' }) => PERSON.has(kind) || kind === 'manual_expired'))
      this.#fail('(c) a manual layer ended by no person')
  }

  #towardsRuntime(before: FallbackState, step: Step, told: readonly Transition[]): void {
    const after = step.state
    const adopted = adoptedIn(step)
    if (before.proposal !== null && after.known === before.proposal.override) return
    if (!isDecidedHere(before, after) || before.starting || isRepeatedReset(before)) return
    const isMore = SUBJECTS.some(
      (who) =>
        share(after.known.auto, who) >
        (adopted === undefined ? share(before.known.auto, who) : sharedBy(adopted, who)),
    )
    // A trip that lost its race is judged anew upon what won: for others, perhaps.
    if (!isMore || told.some(({ kind }) => kind !== undefined && isTripKind(kind))) return
    if (!told.some(({ kind = '' }) => EXCUSES.has(kind)))
      this.#fail('(e) towards the runtime in memory, before it is in the store')
    const { auto } = after.known
    if (auto.state === 'recovering') this.#noteRamp(auto)
  }

  // -- (a), (e), (h): the sequence of contents

  #proposalLanded(replica: SimReplica, before: Content | undefined): void {
    const { world } = this
    const lease = parseLease(world.readLease())
    const owner = lease.kind === 'lease' ? lease.owner : null
    if (owner !== replica.state.self.owner)
      this.#fail(`(e) written by ${replica.state.self.owner}, not ${owner}`)
    const parsed = before === undefined ? undefined : parsedOf(before.text)
    if (parsed?.kind !== 'override') {
      this.#fail('(e) a proposal over something that is no override')
      return
    }
    const { auto, trips } = parsed.override
    if (auto.state === 'fallback') {
      const hold = this.#holds.get(`${auto.since}:${trips}`)
      // Where the direct LLM is unhealthy the hold may end at once.
      const known = replica.state.proposal?.transition.evidence as Evidence | undefined
      const isForced = known !== undefined && isStandbySick(known, world.guardrails)
      if (isForced) {
        this.#wasCutShort = true
        this.#count('hold ended by an unhealthy direct LLM')
      } else if (hold === undefined) this.#fail('(a) a fallback that nobody began')
      else if (world.now - hold.at < this.#leastHoldMs(hold.holdMs, trips) * DRIFT - ROUNDING_MS)
        this.#fail(`(a) recovered after ${world.now - hold.at} ms of ${hold.holdMs}`)
    }
    if (auto.state === 'recovering') {
      const since = this.#steps.get(stepKey(auto)) ?? Number.POSITIVE_INFINITY
      if (world.now - since < this.leastStepMs * DRIFT - ROUNDING_MS)
        this.#fail(`(a) a ramp step after ${world.now - since} ms`)
    }
  }

  #nothingSlippedIn(replica: SimReplica, before: Content, override: Override): void {
    const parsed = parsedOf(before.text)
    if (parsed.kind !== 'override') return
    const isExcused =
      isRepeatedReset(replica.state) || [...this.#pendingOf(replica)].some((kind) => EXCUSES.has(kind))
    if (isTowardsRuntime(parsed.override.auto, override.auto) && !isExcused)
      this.#fail('(e) towards the runtime without the lease')
    if (parsed.override.manual.scope !== 'none' && override.manual.scope === 'none' && !isExcused)
      this.#fail('(c) a manual layer is gone from the store, and no person ended it')
  }

  // -- (f)

  #deadIsDirect(replica: SimReplica): void {
    const { world } = this
    const { condition } = replica
    if (world.policy !== 'auto' || !world.traffic || (condition !== 'dead' && condition !== 'broken')) return
    // Nobody is sent to a direct LLM that cannot be used.
    if (world.directUnusable) return
    const isFew = replica.host.turnMs > 600 || world.pace !== 'even'
    if (condition === 'broken' && (world.directSick || isFew)) return
    const since = Math.max(replica.disturbedAt, world.disturbedAt)
    if (world.now - since < (condition === 'dead' ? DEAD_MS : BROKEN_MS)) return
    const isDirect = [0, 50, 99].every((session) => SUBJECTS.every((who) => replica.isOn(who, session)))
    // What the provider shows first is judged at the next tick.
    if (!isDirect && this.#late.has(replica))
      this.#fail(`(f) ${replica.host.name}: its runtime is ${condition}, its turns go there`)
    if (isDirect) this.#late.delete(replica)
    else this.#late.add(replica)
  }

  /** (h): from one trip to the next at least the hold, unless somebody cut it short. */
  #notFlapping(replica: SimReplica, { auto, trips }: Override): void {
    const { world } = this
    const isCut =
      isRepeatedReset(replica.state) ||
      world.wasTouched ||
      [...this.#pendingOf(replica)].some((kind) => EXCUSES.has(kind))
    world.wasTouched = false
    this.#wasCutShort ||= isCut
    if (auto.state !== 'fallback') return
    const key = `${auto.since}:${trips}`
    const last = this.#lastFallback
    const hold = this.#holds.get(key)
    // One of before is none again: somebody was cut off, and knew of nothing else.
    if (last?.key === key || (last !== undefined && hold !== undefined && hold.at < last.at)) return
    // A widening is the same trip.
    const isSameTrip = last?.trips === trips
    if (
      last !== undefined &&
      !isSameTrip &&
      !this.#wasCutShort &&
      world.now - last.at < last.holdMs * DRIFT - ROUNDING_MS
    )
      this.#fail(`(h) tripped again after ${world.now - last.at} ms of ${last.holdMs}`)
    this.#lastFallback =
      hold === undefined
        ? undefined
        : { key, trips, at: hold.at, holdMs: this.#leastHoldMs(hold.holdMs, trips) }
    this.#wasCutShort = false
  }

  #leastHoldMs(begun: number, trips: number): number {
    const holdSeconds = this.#leastHoldSeconds
    return Math.min(begun, holdMs(trips, 0, { ...this.world.guardrails, holdSeconds }))
  }

  #count(kind: string): void {
    this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1)
  }

  #pendingOf(replica: SimReplica): Set<string> {
    const pending = this.#pending.get(replica) ?? new Set()
    this.#pending.set(replica, pending)
    return pending
  }

  #noteStep(
    replica: SimReplica,
    before: FallbackState,
    { state, effects }: Step,
    input: FallbackInput,
    told: readonly Transition[],
  ): void {
    if (!this.tracing) return
    const words = told.map(({ kind }) => kind)
    const store = input.kind === 'tick' ? ` sees ${input.store.kind}` : ''
    this.note(
      `${replica.host.name} ${input.kind}${store}: ${short(before.known)} → ${short(state.known)}` +
        ` ${words.join(',')} [${effects.map(({ kind }) => kind).join(',')}]` +
        `${state.isolated ? ' isolated' : ''}${state.store.dirtyAt === null ? '' : ' dirty'}`,
    )
  }

  #fail(message: string): never {
    throw new Violation(message)
  }
}

/** Transitions that this step is the first to know of. */
function newTransitions(before: FallbackState, { state, effects }: Step): Transition[] {
  const known = new Set<Transition>(before.reports.map(({ transition }) => transition))
  if (before.proposal !== null) known.add(before.proposal.transition)
  const told = effects.flatMap((effect) => (effect.kind === 'report' ? [effect.transition] : []))
  const all = [...told, ...state.reports.map(({ transition }) => transition)]
  if (state.proposal !== null) all.push(state.proposal.transition)
  return [...new Set(all)].filter((transition) => !known.has(transition) && !isRenumbered(known, transition))
}

/** The same transition, under the revision it got when something else was written first. */
function isRenumbered(known: ReadonlySet<Transition>, transition: Transition): boolean {
  return [...known].some((other) =>
    isDeepStrictEqual({ ...other, revision: 0 }, { ...transition, revision: 0 }),
  )
}

function isDecidedHere(before: FallbackState, { known, self }: FallbackState): boolean {
  return (
    known !== before.known && known.replica === self.replica && known.updatedAt !== before.known.updatedAt
  )
}

function isTowardsRuntime(before: Override['auto'], after: Override['auto']): boolean {
  return SUBJECTS.some((who) => share(after, who) > share(before, who))
}

/** percent of somebody's sessions that goes to the runtime */
function share(auto: Override['auto'], who: ScopeSubject): number {
  if (!covers(scopeOfAuto(auto), who)) return 101
  if (auto.state === 'recovering') return auto.percent
  return auto.state === 'normal' ? 101 : 0
}

/** A reset that lost its race is tried again; it was told before. */
function isRepeatedReset({ commands }: FallbackState): boolean {
  return commands.some(({ command }) => command.kind === 'reset')
}

/** Nothing towards either side was decided here and is not settled yet. */
function isIdle({ store, proposal }: FallbackState): boolean {
  return store.tripped === null && proposal === null
}

function sharedBy({ to, scope, recoveringPercent = 0 }: Transition, who: ScopeSubject): number {
  return to === 'normal' || !covers(scope, who) ? 101 : recoveringPercent
}

/** Another fallback that is for all of ours; beside one of another dimension, or the ramp of everybody, what comes decides. */
function isAnswered(ours: Override['auto'], theirs: Override['auto']): boolean {
  const [our, their] = [scopeOfAuto(ours), scopeOfAuto(theirs)]
  if (theirs.state === 'normal') return false
  if (our !== undefined && our.dimension !== their?.dimension) return true
  return theirs.state === 'fallback' && includesScope(their, our)
}

/** Of everybody, in the scope, or outside of it. */
function isBreachOfAny(
  evidence: Evidence,
  transition: Pick<Transition, 'cause'>,
  guardrails: FallbackGuardrails,
): boolean {
  const { runtime, scoped } = evidence
  const windows = scoped === undefined ? [runtime] : [runtime, scoped.inside, scoped.rest]
  return windows.some((of) => isBreach({ ...evidence, runtime: of }, transition, guardrails))
}

function adoptedIn({ effects }: Step): Transition | undefined {
  return effects.flatMap((effect) => (effect.kind === 'adopted' ? [effect.transition] : [])).at(-1)
}

const stepKey = ({ since, percent }: Extract<Override['auto'], { state: 'recovering' }>): string =>
  `${since}:${percent}`

/** By the letter of the rules, without a confidence. */
function isBreach(
  evidence: Evidence,
  { cause }: Pick<Transition, 'cause'>,
  guardrails: FallbackGuardrails,
): boolean {
  if (cause === 'health') return evidence.probe.failures >= guardrails.probeFailures
  const { slow, fast, streak } = evidence.runtime
  const isRow =
    streak !== undefined && streak.failures >= guardrails.consecutiveFailures && streak.sessions >= 2
  if (cause === 'error_rate' && isRow && slow.total < guardrails.minSamples) return true
  return [slow, fast].some(
    ({ total, errors, timeouts, latencySumMs }) =>
      total >= guardrails.minSamples &&
      ((cause === 'error_rate' && errors / total > guardrails.errorRate) ||
        (cause === 'timeout_rate' && timeouts / total > guardrails.timeoutRate) ||
        (cause === 'latency' && latencySumMs / total > guardrails.latencyShare * guardrails.totalMs)),
  )
}

/** By the letter: it cannot be used, or its newest minute is in breach. */
function isStandbySick({ direct, standby }: Evidence, guardrails: FallbackGuardrails): boolean {
  const { total, errors, timeouts, latencySumMs } = direct
  if (standby?.unusable === true) return true
  if (total < guardrails.minSamples) return false
  return (
    errors / total > guardrails.errorRate ||
    timeouts / total > guardrails.timeoutRate ||
    latencySumMs / total > guardrails.latencyShare * guardrails.totalMs
  )
}

function mayRecover({ runtime, probe, quietForMs }: Evidence, guardrails: FallbackGuardrails): boolean {
  const quietMs = guardrails.quietSeconds * 1000
  if (quietForMs >= quietMs && probe.goodForMs >= quietMs) return true
  const isWell = ({ total, errors, timeouts }: Tally): boolean =>
    total >= guardrails.recoverySamples &&
    errors / total <= guardrails.errorRate / 2 &&
    timeouts / total <= guardrails.timeoutRate / 2
  return isWell(runtime.slow) || isWell(runtime.recent)
}

function short({ auto, manual, revision, trips }: Override): string {
  const layer = auto.state === 'recovering' ? `recovering ${auto.percent}%` : auto.state
  const { dimension = '', ids = [] } = scopeOfAuto(auto) ?? {}
  return `#${revision} ${layer} ${dimension} ${ids}${manual.scope === 'none' ? '' : `+${manual.scope}`} trips ${trips}`
}
