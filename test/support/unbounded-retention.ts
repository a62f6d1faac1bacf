import type { Retention } from '../../src/journal/retention.js'

const all = { count: Number.MAX_SAFE_INTEGER, maxAgeMs: Number.MAX_SAFE_INTEGER }

/** A journal that forgets nothing. */
export const UNBOUNDED_RETENTION: Retention = {
  transitions: all,
  samples: all,
  comparisons: all,
  contents: all,
  executions: all,
  drops: all,
  edits: all,
  rollout_changes: all,
}
