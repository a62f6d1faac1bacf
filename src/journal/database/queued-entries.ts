import type {
  ComparisonEntry,
  DropEntry,
  EditEntry,
  ExecutionEntry,
  RolloutEntry,
  SampleEntry,
  TransitionEntry,
} from '../entries.js'
import type { PendingNotification } from '../journal.js'

/** What waits to be written. */
export type QueuedEntry =
  | { readonly kind: 'transition'; readonly entry: TransitionEntry }
  | { readonly kind: 'sample'; readonly entry: SampleEntry }
  | { readonly kind: 'comparison'; readonly entry: ComparisonEntry }
  | { readonly kind: 'execution'; readonly entry: ExecutionEntry }
  | { readonly kind: 'drops'; readonly entry: DropEntry }
  | { readonly kind: 'edit'; readonly entry: EditEntry }
  | { readonly kind: 'rollout'; readonly entry: RolloutEntry }
  | { readonly kind: 'notification'; readonly entry: PendingNotification }
  | { readonly kind: 'acknowledged'; readonly entry: { readonly id: string } }

/** Which entries make way for which where too many wait. */
const RANK = {
  transition: 2,
  notification: 2,
  acknowledged: 2,
  edit: 2,
  rollout: 2,
  sample: 1,
  comparison: 0,
  execution: 0,
  drops: 0,
} as const

/** a comparison with its content takes so many times as long to write as one without: up to 0.3 ms */
const CONTENT_WEIGHT = 20
/** its row is looked for among those of the same minute, of all replicas */
const DROPS_WEIGHT = 5

export const rankOf = ({ kind }: QueuedEntry): number => RANK[kind]

/** How many times as long it takes to write as an entry of usual size. */
export function weightOf({ kind, entry }: QueuedEntry): number {
  if (kind === 'drops') return DROPS_WEIGHT
  return kind === 'comparison' && entry.content !== undefined ? CONTENT_WEIGHT : 1
}
