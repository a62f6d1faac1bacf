import type { TransitionKind } from '../../protocol/fallback.js'
import {
  type AutoLayer,
  type ManualLayer,
  type Override,
  scopeOfAuto,
} from '../../store/override/override.js'
import {
  type Evidence,
  type FallbackGuardrails,
  withoutExecutions,
  withoutHealth,
} from '../evidence/evidence.js'
import type { HeldTrip } from './adoption.js'
import { report } from './report.js'
import type { Effect, EvidenceEpoch, FallbackState, Instant, Step, StoreState } from './state.js'
import { timersOf } from './timers.js'

/** The parts of an override that a move decides; the rest follows from who writes it when. */
export type Change = Partial<Pick<Override, 'auto' | 'manual' | 'trips' | 'evidenceSince'>>

export interface ChangeContext {
  /** absent: nothing that is told */
  readonly what?: TransitionKind
  readonly actor: Override['actor']
  readonly userId?: string
}

/** ms by which two machines may name one instant differently before it is told anew */
const SAME_INSTANT_MS = 1000

/** One input being worked in: the state so far, and what is to be done. Lives for one call of `next`. */
export class StateUpdate {
  readonly effects: Effect[] = []
  /** a trip that lost its race and still holds, for the time of this input */
  holds: HeldTrip | undefined
  /** what counts for the time of this input */
  #epoch: EvidenceEpoch

  constructor(
    public state: FallbackState,
    readonly at: Instant,
    readonly guardrails: FallbackGuardrails,
    private readonly gathered?: Evidence,
  ) {
    this.#epoch = state.epoch
  }

  get step(): Step {
    return { state: this.state, effects: this.effects }
  }

  /** As gathered, without what is of an earlier epoch. */
  get evidence(): Evidence | undefined {
    if (this.gathered === undefined) return undefined
    const { executionsAt, healthAt } = this.#epoch
    const { at } = this.gathered
    const judged =
      executionsAt !== null && at <= executionsAt ? withoutExecutions(this.gathered) : this.gathered
    return healthAt !== null && at <= healthAt ? withoutHealth(judged) : judged
  }

  set(part: Partial<FallbackState>): void {
    this.state = { ...this.state, ...part }
  }

  setStore(part: Partial<StoreState>): void {
    this.set({ store: { ...this.state.store, ...part } })
  }

  /** A change of this replica's making: acts at once, and is on its way to the store. Whatever ends a fallback ends its trip. */
  change(change: Change, context: ChangeContext): void {
    const after = this.#decided(change, context.actor)
    const isNewEpoch = after.evidenceSince !== this.state.known.evidenceSince
    this.#change(after, context)
    if (isNewEpoch) this.beginEpoch()
    if (after.auto.state !== 'fallback') this.setStore({ tripped: null })
  }

  /** A trip: what it was judged by counts on until it is in the store. */
  trip(change: Change, context: ChangeContext): void {
    const { known, store } = this.state
    const { auto, trips } = known
    const { executionsAt } = this.#epoch
    this.#change(this.#decided(change, context.actor), context)
    // One that widens a trip which is not in the store either was decided upon the same.
    this.setStore({ tripped: store.tripped ?? { auto, trips } })
    this.#judgeBy({ executionsAt })
  }

  #change(after: Override, { what, userId }: ChangeContext): void {
    const { evidence, guardrails } = this
    const before = this.state.known
    const version = this.state.store.version + 1
    this.#take(after)
    this.setStore({
      dirtyAt: this.state.store.dirtyAt ?? this.at.now,
      version,
      retryAt: this.at.now,
      rewrite: false,
    })
    if (what === undefined) return
    const transition = report(before, after, {
      kind: what,
      guardrails,
      ...(evidence === undefined ? {} : { evidence }),
      ...(userId === undefined ? {} : { userId }),
    })
    this.set({ reports: [...this.state.reports, { transition, version }] })
  }

  /** A change that acts only when it is in the store. */
  propose(change: Change, what: TransitionKind): void {
    const { evidence, guardrails } = this
    const override = this.#decided(change, 'auto')
    const version = this.state.store.version + 1
    const transition = report(this.state.known, override, {
      kind: what,
      guardrails,
      ...(evidence === undefined ? {} : { evidence }),
    })
    this.set({ proposal: { override, version, transition } })
    this.setStore({ version })
  }

  /** The present state again, under a revision of its own. */
  rewrite(): void {
    this.change({}, { actor: this.state.known.actor })
  }

  /** Takes over an override; where other evidence judges it than this replica's so far, the evidence starts again. */
  become(after: Override): void {
    this.#take(after)
    if ((after.evidenceSince ?? null) !== this.state.epoch.since) this.beginEpoch()
  }

  /** The epoch of the override that is known: only executions started from now on are judged. */
  beginEpoch(): void {
    const scope = scopeOfAuto(this.state.known.auto)
    this.effects.push({ kind: 'restart_evidence', ...(scope === undefined ? {} : { scope }) })
    this.#judgeBy({ since: this.state.known.evidenceSince ?? null, executionsAt: this.at.now })
  }

  /** A reset: what the probes have shown is forgotten as well. */
  resetHealth(): void {
    this.effects.push({ kind: 'reset_health' })
    this.#judgeBy({ healthAt: this.at.now })
  }

  /** A breach that lost its race still holds: what was known when it was decided counts once more, for this input. */
  recall({ executionsAt }: EvidenceEpoch): void {
    this.#epoch = { ...this.#epoch, executionsAt }
  }

  /** With the instants that run from its first sight. */
  #take(after: Override): void {
    const before = this.state.known
    this.set({ known: after, timers: timersOf(before, after, this.state.timers, this.at, this.guardrails) })
  }

  /** The manual layer with its end on this replica's wall clock: a writer's instants go with one `updatedAt`. */
  get manual(): ManualLayer {
    const { known, timers } = this.state
    const { manual } = known
    if (manual.scope === 'none' || manual.until === undefined || timers.manualUntilAt === null) return manual
    const until = this.#wallAt(timers.manualUntilAt)
    // The same instant keeps its name: another one would look like another layer.
    return Math.abs(until - manual.until) <= SAME_INSTANT_MS ? manual : { ...manual, until }
  }

  get #auto(): AutoLayer {
    const { known, timers } = this.state
    if (known.auto.state !== 'fallback' || timers.holdUntilAt === null) return known.auto
    return { ...known.auto, holdUntil: this.#wallAt(Math.max(timers.holdUntilAt, this.at.now)) }
  }

  #wallAt(monotonic: number): number {
    return Math.round(this.at.wall + monotonic - this.at.now)
  }

  #decided(change: Change, actor: Override['actor']): Override {
    const { known, highest, self } = this.state
    const { wall } = this.at
    const decided: Override = {
      ...known,
      auto: this.#auto,
      manual: this.manual,
      ...change,
      revision: highest + 1,
      replica: self.replica,
      actor,
      updatedAt: wall,
    }
    // Two restarts of the evidence are told apart by their instants, also on a clock that was set back.
    const isAmbiguous = change.evidenceSince !== undefined && change.evidenceSince === known.evidenceSince
    return isAmbiguous ? { ...decided, evidenceSince: change.evidenceSince + 1 } : decided
  }

  #judgeBy(part: Partial<EvidenceEpoch>): void {
    this.set({ epoch: { ...this.state.epoch, ...part } })
    this.#epoch = { ...this.#epoch, ...part }
  }
}
