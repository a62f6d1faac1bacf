import type { Actor } from '../../protocol/fallback.js'
import type { RolloutChangeKind, RolloutChangeRecord, StageEvidence } from '../../protocol/rollout.js'
import {
  type Breach,
  percentOf,
  planOf,
  type Rollout,
  type RolloutProgress,
} from '../../store/rollout/rollout.js'
import type { RolloutCommand } from '../rollout.js'
import type { FileState, Instant, Pending, RolloutEffect, RolloutState, RolloutStep } from './state.js'

export interface Decided {
  /** absent: nothing that is told */
  readonly kind?: RolloutChangeKind
  readonly actor: Actor
  readonly acts: Pending['acts']
  readonly by: Pending['by']
  readonly userId?: string
  readonly reason?: string
  readonly breach?: Breach
  readonly left?: Pending['left']
  readonly command?: RolloutCommand
  /** executions before it tell nothing any more */
  readonly newEvidence?: true
}

/** One input being worked in: the state so far, and what is to be done. Lives for one call of `next`. */
export class StateUpdate {
  readonly effects: RolloutEffect[] = []
  /** what was judged is of another stage by now */
  restarted = false

  constructor(
    public state: RolloutState,
    readonly at: Instant,
    private readonly evidence?: StageEvidence,
  ) {}

  get step(): RolloutStep {
    return { state: this.state, effects: this.effects }
  }

  set(part: Partial<RolloutState>): void {
    this.state = { ...this.state, ...part }
  }

  setFile(part: Partial<FileState>): void {
    this.set({ file: { ...this.state.file, ...part } })
  }

  /** What the next decision is made upon. */
  get base(): Rollout {
    return this.state.pending?.after ?? this.state.force
  }

  /** Another progress, on its way to the store. */
  decide(progress: RolloutProgress, decided: Decided): void {
    const { base, at } = this
    const { pending, highest, self, file } = this.state
    const version = file.version + 1
    const after: Rollout = {
      ...base,
      progress,
      ...(decided.newEvidence ? { evidenceSince: nextInstant(at.wall, base.evidenceSince) } : {}),
      revision: highest + 1,
      replica: self.replica,
      actor: decided.actor,
      updatedAt: Math.round(at.wall),
    }
    const { kind, command } = decided
    const report =
      kind === undefined ? [] : [{ change: this.#change(base, after, { ...decided, kind }), version }]
    this.set({
      pending: {
        after,
        acts: decided.acts,
        by: decided.by,
        at: at.now,
        version,
        reports: [...(pending?.reports ?? []), ...report],
        commands: [...(pending?.commands ?? []), ...(command === undefined ? [] : [command])],
        left: decided.left ?? null,
      },
    })
    this.setFile({ version, retryAt: at.now })
    if (decided.acts === 'now') this.take(after)
  }

  /** The present state again, under a revision of its own. */
  rewrite(actor: Actor): void {
    const { acts, by } = this.state.pending ?? { acts: 'now', by: 'loop' }
    this.decide(this.base.progress, { actor, acts, by })
  }

  /** What only acts once it is written is given up. What acts already and is not in the store still has to get there. */
  dropProposal(): void {
    const { force, stored } = this.state
    this.set({ pending: null })
    if (force.revision > stored.revision) this.rewrite(force.actor)
  }

  /** What is pending goes on top of the highest revision seen. */
  renumber(): void {
    const { pending, highest } = this.state
    if (pending === null) return
    const revision = highest + 1
    const after = { ...pending.after, revision }
    const reports = pending.reports.map((report) => ({ ...report, change: { ...report.change, revision } }))
    this.set({ pending: { ...pending, after, reports }, ...(pending.acts === 'now' ? { force: after } : {}) })
  }

  /** Acts upon it from now on; where other executions judge it than so far, the evidence starts again. */
  take(force: Rollout): void {
    const since = force.evidenceSince ?? null
    this.set({ force })
    if (since !== this.state.epoch) this.restartEvidence(since)
  }

  /** Only executions started from now on are judged, and the stage's time starts again. */
  restartEvidence(epoch: number | null = this.state.epoch): void {
    this.set({ epoch, stageAt: this.at.now })
    this.effects.push({ kind: 'restart_evidence' })
    this.restarted = true
  }

  /** Another replica did that. */
  adopted(before: Rollout, after: Rollout): void {
    const change = this.#change(before, after, { kind: 'adopted', actor: after.actor })
    this.effects.push({ kind: 'adopted', change: { ...change, replica: after.replica ?? change.replica } })
  }

  #change(
    before: Rollout,
    after: Rollout,
    told: Pick<Decided, 'actor' | 'userId' | 'reason' | 'breach'> & { readonly kind: RolloutChangeKind },
  ): RolloutChangeRecord {
    const plan = planOf(after.progress) ?? planOf(before.progress)
    const { breach } = told
    return {
      at: Math.round(this.at.wall),
      kind: told.kind,
      from: before.progress.state,
      to: after.progress.state,
      fromPercent: percentOf(before.progress),
      toPercent: percentOf(after.progress),
      stages: [...(plan?.stages ?? [])],
      everyMinutes: plan?.everyMinutes ?? 0,
      orgIds: plan?.orgIds === undefined ? null : [...plan.orgIds],
      agentIds: plan?.agentIds === undefined ? null : [...plan.agentIds],
      actor: told.actor,
      replica: this.state.self.replica,
      userId: told.userId ?? null,
      cause: breach?.cause ?? null,
      value: breach?.value ?? null,
      threshold: breach?.threshold ?? null,
      evidence: this.evidence ?? null,
      revision: after.revision,
      reason: told.reason ?? '',
    }
  }
}

/** Two restarts of the evidence are told apart by their instants, also on a clock that was set back. */
function nextInstant(wall: number, before: number | undefined): number {
  const at = Math.round(wall)
  return at === before ? at + 1 : at
}
