import type { ComparisonQuery } from './comparison.js'

/** How much of one kind of entry is kept: the newest `count`, and of those none older than `maxAgeMs`. */
export interface Bound {
  readonly count: number
  readonly maxAgeMs: number
}

export interface Retention {
  readonly transitions: Bound
  readonly samples: Bound
  readonly comparisons: Bound
  /** what both sides of a comparison said, where that is kept at all */
  readonly contents: Bound
  readonly executions: Bound
  /** counts of a minute: at most 112 a minute and replica */
  readonly drops: Bound
  /** of the operators' file by the API: at most 64 kB each, a few hundred bytes as a rule */
  readonly edits: Bound
  /** changes of the rollout: about 1 kB each, 64 kB where it is for very many orgs */
  readonly rollout_changes: Bound
}

const DAY_MS = 86_400_000
const CONTENT_DAYS = 7

/**
 * A year of changes; of the evidence, what an incident of last week needs (at most one sample a tick and replica); of
 * the comparisons, and of what gave none, a quarter, of the executions a month. Contents are at most 32 kB each.
 * @param contentDays CHAT_SHADOW_CONTENT_DAYS
 */
export function retentionFor(contentDays = CONTENT_DAYS): Retention {
  return {
    transitions: { count: 10_000, maxAgeMs: 365 * DAY_MS },
    samples: { count: 100_000, maxAgeMs: 7 * DAY_MS },
    comparisons: { count: 200_000, maxAgeMs: 90 * DAY_MS },
    contents: { count: 10_000, maxAgeMs: contentDays * DAY_MS },
    executions: { count: 500_000, maxAgeMs: 30 * DAY_MS },
    drops: { count: 500_000, maxAgeMs: 90 * DAY_MS },
    edits: { count: 5_000, maxAgeMs: 365 * DAY_MS },
    rollout_changes: { count: 5_000, maxAgeMs: 365 * DAY_MS },
  }
}

/** What a process keeps for itself alone: about 40 MB at most. */
export function retentionInMemory(contentDays = CONTENT_DAYS): Retention {
  const all = retentionFor(contentDays)
  return {
    ...all,
    samples: { ...all.samples, count: 10_000 },
    comparisons: { ...all.comparisons, count: 20_000 },
    contents: { ...all.contents, count: 500 },
    executions: { ...all.executions, count: 50_000 },
    drops: { ...all.drops, count: 20_000 },
    edits: { ...all.edits, count: 500 },
    rollout_changes: { ...all.rollout_changes, count: 500 },
  }
}

/**
 * What many replicas keep together: executions and comparisons by their age alone, of the rest so many times what one machine
 * keeps.
 */
export function retentionForFleet(contentDays = CONTENT_DAYS): Retention {
  const all = retentionFor(contentDays)
  const many = ({ count, maxAgeMs }: Bound): Bound => ({ count: 10 * count, maxAgeMs })
  return {
    transitions: many(all.transitions),
    samples: many(all.samples),
    comparisons: { ...all.comparisons, count: Number.POSITIVE_INFINITY },
    contents: many(all.contents),
    executions: { ...all.executions, count: Number.POSITIVE_INFINITY },
    drops: many(all.drops),
    edits: many(all.edits),
    rollout_changes: many(all.rollout_changes),
  }
}

/** Without contents that are too old: nobody sees them, even where they are not deleted yet. */
export const ofShownContents = (
  query: ComparisonQuery,
  { contents }: Retention,
  wallMs: number,
): ComparisonQuery => ({ ...query, from: Math.max(query.from, wallMs - contents.maxAgeMs) })
