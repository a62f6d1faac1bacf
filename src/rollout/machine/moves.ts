import { holdsLease } from '../../fallback/machine/lease.js'
import type { RolloutWait } from '../../protocol/rollout.js'
import type { Breach, RolloutProgress } from '../../store/rollout/rollout.js'
import { planOf } from '../../store/rollout/rollout.js'
import type { StageVerdict } from '../stage-verdict.js'
import { isMoot } from './command.js'
import type { RolloutInput } from './state.js'
import type { StateUpdate } from './state-update.js'

type Tick = Extract<RolloutInput, { kind: 'tick' }>
type Running = Extract<RolloutProgress, { state: 'running' }>

const NOTHING_YET: StageVerdict = { kind: 'insufficient_data', lacks: 'samples' }

export const stageMs = ({ plan }: { readonly plan: { readonly everyMinutes: number } }): number =>
  plan.everyMinutes * 60_000

/** The moves of a rollout that nobody asked for: it ends where it is moot, goes back on a breach, goes on when healthy. */
export function move(update: StateUpdate, input: Tick): void {
  if (endMoot(update, input)) return
  const wasHeld = update.state.held
  follow(update, input)
  const { progress } = update.state.force
  if (progress.state !== 'running') {
    update.set({ verdict: null, waitsFor: null })
    return
  }
  const isOutdated = update.restarted || (wasHeld && input.hold !== null)
  const verdict = isOutdated ? NOTHING_YET : input.verdict
  const isLeft = verdict.kind === 'breach' && input.hold !== 'both_fail'
  if (isLeft) lower(update, progress, verdict.breach)
  const waitsFor = isLeft ? null : waitOf(update, input, progress, verdict)
  update.set({ verdict, waitsFor })
  if (!isLeft && waitsFor === null) raise(update, progress)
}

/** What a fallback that begins had seen before still counts; what comes while it lasts does not, and after it everything starts again. */
function follow(update: StateUpdate, { hold }: Tick): void {
  const isHeld = hold === 'fallback'
  if (update.state.held && !isHeld) update.restartEvidence()
  if (update.state.held !== isHeld) update.set({ held: isHeld })
}

/** ms for which an edit by the API explains what the flags say */
const EDIT_MS = 600_000
/** ms in which the replica that took the edit by the API ends it, for it knows whose edit that was */
const OTHERS_MS = 2000

function endMoot(update: StateUpdate, { opsMode }: Tick): boolean {
  const { progress } = update.base
  const plan = planOf(progress)
  if (!isMoot(opsMode) || plan === undefined || progress.state === 'ended') {
    update.set({ mootAt: null })
    return false
  }
  const { editor } = update.state
  const isTheirs = editor !== null && update.at.now - editor.at < EDIT_MS
  const mootAt = update.state.mootAt ?? update.at.now
  update.set({ mootAt })
  if (!isTheirs && update.at.now - mootAt < OTHERS_MS) return false
  const isPermanent = opsMode === 'runtime'
  const since = Math.round(update.at.wall)
  update.decide(
    { state: 'ended', plan, how: isPermanent ? 'permanent' : 'superseded', since, reason: '' },
    {
      kind: isPermanent ? 'made_permanent' : 'superseded',
      actor: 'manual',
      acts: 'now',
      by: 'loop',
      ...(isTheirs ? { userId: editor.userId } : {}),
    },
  )
  update.set({ editor: null, verdict: null, waitsFor: null, held: false })
  return true
}

/** One stage back; from the first stage, or by the second breach before the first one's stage was passed, to 0 for good. */
export function lower(update: StateUpdate, { plan, stage, failed }: Running, breach: Breach): void {
  const since = Math.round(update.at.wall)
  const told = { actor: 'auto', acts: 'now', by: 'loop', breach, left: { stage, breach } } as const
  if (stage === 0 || failed !== undefined) {
    update.decide(
      { state: 'ended', plan, how: 'stopped', since, breach, reason: '' },
      { ...told, kind: 'stopped' },
    )
    return
  }
  update.decide(
    { state: 'running', plan, stage: stage - 1, since, failed: { stage, breach } },
    { ...told, kind: 'lowered', newEvidence: true },
  )
}

/** Why it does not go on; null: it may. */
function waitOf(
  update: StateUpdate,
  input: Tick,
  progress: Running,
  verdict: StageVerdict,
): RolloutWait | null {
  const { state, at } = update
  if (input.hold !== null) return input.hold
  if (at.now - state.stageAt < stageMs(progress)) return 'time'
  if (verdict.kind === 'insufficient_data') return verdict.lacks
  if (verdict.kind === 'breach') return 'both_fail'
  if (!input.probeHealthy) return 'probe'
  if (state.pending !== null || !state.file.isGood || at.now < state.file.retryAt) return 'store'
  return holdsLease(state, at.now, input.leaseMs) ? null : 'leader'
}

/** The stage was healthy for its time: the next one, or the end. It acts when it is in the store. */
function raise(update: StateUpdate, { plan, stage, failed }: Running): void {
  const since = Math.round(update.at.wall)
  const told = { actor: 'auto', acts: 'when_written', by: 'loop' } as const
  if (stage + 1 >= plan.stages.length) {
    update.decide({ state: 'finished', plan, since }, { ...told, kind: 'finished' })
    return
  }
  const kept = failed !== undefined && failed.stage > stage ? { failed } : {}
  update.decide(
    { state: 'running', plan, stage: stage + 1, since, ...kept },
    { ...told, kind: 'raised', newEvidence: true },
  )
}
