import type { Turn } from '../../execution/backend.js'
import type { ExecutionLimits } from '../../execution/execution.js'
import type { Comparison } from '../../journal/comparison.js'
import { type ExecutionMode, otherMode } from '../../protocol/modes.js'
import type { ControlEnd } from '../compare/comparison-of.js'
import type { Observer } from '../compare/observer.js'
import type { Candidate, CandidateEnd } from './candidate.js'

/** Where the candidate of a turn is. */
export type Stage =
  /** for the control's own request to be on its way */
  | { readonly kind: 'waiting' }
  /** for a place */
  | { readonly kind: 'queued' /** monotonic ms */; readonly since: number }
  /** `candidate` is absent only while it is being started */
  | { readonly kind: 'running'; readonly candidate?: Candidate }
  | { readonly kind: 'ended'; readonly end: CandidateEnd }
  /** compared or dropped */
  | { readonly kind: 'closed' }

/** A turn on both its ways. */
export interface Pair {
  readonly turn: Turn
  readonly limits: ExecutionLimits
  /** mode of the user's side */
  readonly control: ExecutionMode
  readonly kind: Comparison['kind']
  /** 0 to 100: how likely `aa` was */
  readonly aaPercent: number
  /** wall-clock ms */
  readonly at: number
  /** of the control */
  readonly observer: Observer
  /** once the control ended by itself, or its user left while the candidate ran */
  controlEnd: ControlEnd | undefined
  stage: Stage
}

export function candidateMode({ kind, control }: Pair): ExecutionMode {
  return kind === 'aa' ? control : otherMode(control)
}
