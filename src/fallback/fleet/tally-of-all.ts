import { z } from 'zod'
import type { Outcome } from '../../execution/outcome.js'
import { isJudged, type JudgedResult } from '../../protocol/execution-results.js'
import { EXECUTION_MODES, type ExecutionMode } from '../../protocol/modes.js'
import type { HealthView } from '../evidence/health-quorum.js'

/** pairs of org and agent told apart in one message; those that fail are kept before others, the rest is told in one group */
const MAX_PAIRS = 64
/** sessions named of one group: two tell that it is not one user alone */
const MAX_SESSIONS = 4
/** executions of one message; a replica ends fewer between two ticks */
const MAX_EXECUTIONS = 100_000
/** of all that a reader cannot tell apart */
const OTHERS = ''

/** ms; no duration counts as longer, as in the windows */
const LONGEST_MS = 86_400_000
/** buckets for a duration e times as long: what is read from one is at most 1% off */
const BUCKETS = 50

/** Whole numbers from 0 (1 ms and less), so that counts of several replicas add up. */
const bucketOf = (ms: number): number => Math.round(Math.log(Math.max(1, ms)) * BUCKETS)
const estimateOf = (bucket: number): number => Math.exp(bucket / BUCKETS)
const boundedMs = (ms: number): number => Math.min(Math.max(0, ms), LONGEST_MS)

const sumOf = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0)

/** Judged executions that ended the same way for the same org and agent. Durations in ms. */
const groupSchema = z.object({
  mode: z.enum(EXECUTION_MODES),
  orgId: z.string(),
  agentId: z.string(),
  result: z.enum(['ok', 'error', 'timeout']),
  /** the guarded rollout gave them to the runtime */
  isRollout: z.literal(true).optional(),
  count: z.number().int().min(1).max(MAX_EXECUTIONS),
  latencySumMs: z.number().min(0),
  /** since the start of the one that began first */
  ageMs: z.number().min(0),
  sessions: z.array(z.string()).max(MAX_SESSIONS),
  /** times to the first content: buckets, and how many are in each */
  firstContent: z.array(z.tuple([z.number().int().min(0), z.number().int().min(1).max(MAX_EXECUTIONS)])),
})
export type TallyGroup = z.infer<typeof groupSchema>

/** What one replica tells the others at one tick. */
const messageSchema = z.object({
  replica: z.string(),
  sawTurn: z.boolean(),
  bad: z.boolean(),
  groups: z
    .array(groupSchema)
    .max((EXECUTION_MODES.length + 1) * 3 * (MAX_PAIRS + 1))
    .refine((groups) => sumOf(groups.map(({ count }) => count)) <= MAX_EXECUTIONS)
    .refine((groups) =>
      groups.every(({ count, firstContent }) => sumOf(firstContent.map(([, many]) => many)) <= count),
    ),
})
export type EvidenceMessage = z.infer<typeof messageSchema>

interface OpenGroup extends Omit<TallyGroup, 'ageMs' | 'sessions' | 'firstContent'> {
  startedAt: number
  readonly sessions: Set<string>
  readonly firstContent: Map<number, number>
}

/** The judged executions of this replica since the last message. Bounded by the pairs it saw, which a tick bounds. */
export class OwnTally {
  #groups = new Map<string, OpenGroup>()

  add(outcome: Outcome): void {
    const { mode, result, orgId, agentId, startedAt, latencyMs, sessionId, firstContentMs } = outcome
    if (!isJudged(result)) return
    const { isRollout } = outcome
    const key = JSON.stringify([mode, orgId, agentId, result, isRollout])
    const group = this.#groups.get(key) ?? newGroup({ mode, result, orgId, agentId, startedAt, isRollout })
    this.#groups.set(key, group)
    group.count += 1
    group.latencySumMs += boundedMs(latencyMs)
    group.startedAt = Math.min(group.startedAt, startedAt)
    if (sessionId !== undefined && group.sessions.size < MAX_SESSIONS) group.sessions.add(sessionId)
    if (firstContentMs === undefined) return
    const bucket = bucketOf(boundedMs(firstContentMs))
    group.firstContent.set(bucket, (group.firstContent.get(bucket) ?? 0) + 1)
  }

  /** Begins again from nothing. @param now monotonic ms */
  take(now: number): TallyGroup[] {
    const groups = bounded([...this.#groups.values()])
    this.#groups = new Map()
    return groups.map(({ startedAt, sessions, firstContent, ...group }) => ({
      ...group,
      ageMs: Math.max(0, now - startedAt),
      sessions: [...sessions],
      firstContent: [...firstContent],
    }))
  }
}

interface GroupOf {
  readonly mode: ExecutionMode
  readonly result: JudgedResult
  readonly orgId: string
  readonly agentId: string
  readonly startedAt: number
  readonly isRollout: true | undefined
}

function newGroup({ isRollout, startedAt, ...group }: GroupOf): OpenGroup {
  return {
    ...group,
    ...(isRollout === undefined ? {} : { isRollout }),
    count: 0,
    latencySumMs: 0,
    startedAt,
    sessions: new Set(),
    firstContent: new Map(),
  }
}

/** Pairs beyond the bound become one; failing ones last. Nothing of the counts is lost. */
function bounded(groups: readonly OpenGroup[]): OpenGroup[] {
  const failures = new Map<string, number>()
  for (const { orgId, agentId, result, count } of groups) {
    const pair = JSON.stringify([orgId, agentId])
    failures.set(pair, (failures.get(pair) ?? 0) + (result === 'ok' ? 0 : count))
  }
  if (failures.size <= MAX_PAIRS) return [...groups]
  const kept = new Set(
    [...failures]
      .sort(([, a], [, b]) => b - a)
      .slice(0, MAX_PAIRS)
      .map(([pair]) => pair),
  )
  const rest = new Map<string, OpenGroup>()
  const told: OpenGroup[] = []
  for (const group of groups) {
    if (kept.has(JSON.stringify([group.orgId, group.agentId]))) told.push(group)
    else join(rest, group)
  }
  return [...told, ...rest.values()]
}

function join(rest: Map<string, OpenGroup>, group: OpenGroup): void {
  const { mode, result, startedAt, isRollout } = group
  const key = `${mode} ${result} ${isRollout ?? ''}`
  const sum =
    rest.get(key) ?? newGroup({ mode, result, orgId: OTHERS, agentId: OTHERS, startedAt, isRollout })
  rest.set(key, sum)
  sum.count += group.count
  sum.latencySumMs += group.latencySumMs
  sum.startedAt = Math.min(sum.startedAt, group.startedAt)
  for (const session of group.sessions) if (sum.sessions.size < MAX_SESSIONS) sum.sessions.add(session)
  for (const [bucket, count] of group.firstContent)
    sum.firstContent.set(bucket, (sum.firstContent.get(bucket) ?? 0) + count)
}

export function renderEvidence(replica: string, { sawTurn, bad }: HealthView, groups: TallyGroup[]): string {
  return JSON.stringify({ replica, sawTurn, bad, groups } satisfies EvidenceMessage)
}

/** Undefined for what is no message of ours. */
export function parseEvidence(text: string): EvidenceMessage | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

const ORDER = { error: 0, timeout: 1, ok: 2 } as const

/**
 * Executions that add up to the groups, to be judged beside the replica's own: as many, with the same results, sessions, and sum of
 * latencies; first contents within 1%. Failures come before successes, so that no row of failures is longer than it was. All of a
 * group began with its first one: after a restart of the evidence rather too few count than any of before. Pure.
 * @param now monotonic ms; @param delayMs since the message was written
 */
export function executionsOf({ groups }: EvidenceMessage, now: number, delayMs: number): Outcome[] {
  return [...groups]
    .sort((a, b) => ORDER[a.result] - ORDER[b.result])
    .flatMap((group) => executionsOfGroup(group, now - delayMs - group.ageMs))
}

function executionsOfGroup(group: TallyGroup, startedAt: number): Outcome[] {
  const { mode, orgId, agentId, result, count, latencySumMs, sessions, isRollout } = group
  const firstContents = group.firstContent.flatMap(([bucket, many]) =>
    Array.from({ length: many }, () => estimateOf(bucket)),
  )
  return Array.from({ length: count }, (_, at): Outcome => {
    const firstContentMs = firstContents[at]
    const sessionId = sessions[at % Math.max(1, sessions.length)]
    const ended = {
      mode,
      orgId,
      agentId,
      startedAt,
      latencyMs: latencySumMs / count,
      ...(isRollout === undefined ? {} : { isRollout }),
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(firstContentMs === undefined ? {} : { firstContentMs }),
    }
    if (result === 'ok') return { ...ended, result }
    return {
      ...ended,
      result,
      code: result === 'timeout' ? 'runtime_timeout' : 'runtime_error',
      phase: 'streaming',
    }
  })
}
