import type { TransitionKind } from '../protocol/fallback.js'
import type { ManualLayer, Override } from '../store/override.js'
import { type Evidence, type FallbackGuardrails, withoutExecutions } from './evidence.js'
import { report } from './report.js'
import type { Effect, FallbackState, Instant, Step, StoreState, Timers } from './state.js'

/** The parts of an override that a move decides; the rest follows from who writes it when. */
export type Change = Partial<Pick<Override, 'auto' | 'manual' | 'trips' | 'evidenceSince'>>

export interface ChangeContext {
  /** absent: nothing that is told */
  readonly what?: TransitionKind
  readonly actor: Override['actor']
  readonly userId?: string
}

/** One input being worked in: the state so far, and what is to be done. Lives for one call of `next`. */
export class Draft {
  readonly effects: Effect[] = []

  constructor(
    public state: FallbackState,
    readonly at: Instant,
    readonly guardrails: FallbackGuardrails,
    /** of the state at hand: forgets the executions when a new one begins */
    public evidence?: Evidence,
  ) {}

  get step(): Step {
    return { state: this.state, effects: this.effects }
  }

  set(part: Partial<FallbackState>): void {
    this.state = { ...this.state, ...part }
  }

  setStore(part: Partial<StoreState>): void {
    this.set({ store: { ...this.state.store, ...part } })
  }

  /** A change of this replica's making: acts at once, and is on its way to the store. */
  change(change: Change, { what, actor, userId }: ChangeContext): void {
    const before = this.state.known
    const { now, wall } = this.at
    const after: Override = {
      ...before,
      ...change,
      revision: this.state.highest + 1,
      replica: this.state.self.replica,
      actor,
      updatedAt: wall,
    }
    this.become(after)
    const { store } = this.state
    this.setStore({
      dirtyAt: store.dirtyAt ?? now,
      version: store.version + 1,
      retryAt: now,
      rewrite: false,
    })
    if (what === undefined) return
    const { evidence, guardrails } = this
    const told = report(before, after, {
      kind: what,
      guardrails,
      ...(evidence === undefined ? {} : { evidence }),
      ...(userId === undefined ? {} : { userId }),
    })
    this.set({ reports: [...this.state.reports, told] })
  }

  /** The present state again, under a revision of its own. */
  rewrite(): void {
    const { known, timers } = this.state
    const { now, wall } = this.at
    const isHeld = known.auto.state === 'fallback' && timers.holdUntilAt !== null
    const left = isHeld && timers.holdUntilAt !== null ? Math.max(0, timers.holdUntilAt - now) : 0
    const auto =
      known.auto.state === 'fallback' ? { ...known.auto, holdUntil: wall + Math.round(left) } : known.auto
    this.change({ auto }, { actor: known.actor })
  }

  /** Takes over an override, with the instants that run from its first sight. */
  become(after: Override): void {
    const before = this.state.known
    this.set({ known: after, timers: timersOf(before, after, this.state.timers, this.at, this.guardrails) })
    if (after.evidenceSince !== before.evidenceSince) this.effects.push({ kind: 'restart_evidence' })
  }

  forgetExecutions(): void {
    if (this.evidence !== undefined) this.evidence = withoutExecutions(this.evidence)
  }
}

function timersOf(
  before: Override,
  after: Override,
  timers: Timers,
  { now }: Instant,
  guardrails: FallbackGuardrails,
): Timers {
  const manualUntilAt = isSameManual(before.manual, after.manual)
    ? timers.manualUntilAt
    : manualEnd(after, now)
  if (isSameStep(before, after)) return { ...timers, manualUntilAt }
  return {
    autoSinceAt: now,
    holdUntilAt: holdEnd(after, now, guardrails),
    goodSinceAt: after.auto.state === 'normal' ? now : null,
    manualUntilAt,
  }
}

/** The same state and ramp step; `since` tells one fallback from the next. */
function isSameStep({ auto: a }: Override, { auto: b }: Override): boolean {
  if (a.state === 'normal') return b.state === 'normal'
  if (a.state === 'fallback') return b.state === 'fallback' && a.since === b.since
  return b.state === 'recovering' && a.percent === b.percent && a.since === b.since
}

/** A duration by the writer's clock, from first sight on ours; never longer than the longest hold. */
function holdEnd({ auto, updatedAt }: Override, now: number, guardrails: FallbackGuardrails): number | null {
  if (auto.state !== 'fallback') return null
  const duration = Math.max(0, auto.holdUntil - (updatedAt ?? auto.since))
  return now + Math.min(duration, guardrails.maxHoldSeconds * 1000)
}

function manualEnd({ manual, updatedAt }: Override, now: number): number | null {
  if (manual.scope === 'none' || manual.until === undefined) return null
  return now + Math.max(0, manual.until - (updatedAt ?? manual.until))
}

function isSameManual(a: ManualLayer, b: ManualLayer): boolean {
  return a.scope === b.scope && untilOf(a) === untilOf(b)
}

const untilOf = (manual: ManualLayer): number | undefined =>
  manual.scope === 'none' ? undefined : manual.until
