import { z } from 'zod'
import { storableText } from '../core/text.js'
import { EXECUTION_MODES } from '../protocol/modes.js'
import type {
  ComparedSide,
  Comparison,
  ExecutedFor,
  JudgedExecution,
  KeptExecution,
  Observation,
} from './comparison.js'
import type { ExecutionFacts } from './journal.js'

/**
 * What a report needs of one entry, as a short JSON array: a page of them is one text, parsed several times faster than
 * rows of columns come out of the database. Times in tenths of a ms, similarities in ten-thousandths, words as their
 * place in the lists below. A newer version may only append.
 */
export type Facts = readonly (number | string | null)[]

export const KINDS = ['ab', 'aa'] as const
/** How a side ended that ended by itself. */
export const RESULTS = ['ok', 'error', 'timeout'] as const
/** Of the sides of a comparison; a version that does not know the last one skips it. */
export const SIDE_RESULTS = [...RESULTS, 'aborted'] as const
/** Of kept executions; the same. Those of users that count in public come first. */
const PUBLIC_RESULTS = [...RESULTS, 'rejected'] as const
const EXECUTION_RESULTS = [
  ...PUBLIC_RESULTS,
  'abandoned',
  'shadow_ok',
  'shadow_error',
  'shadow_timeout',
  'shadow_rejected',
] as const

export const TENTHS = 10
export const TEN_THOUSANDTHS = 10_000
/** 24 h: one absurd value must not spoil a sum */
const LONGEST_MS = 86_400_000

/** Places in the facts of a comparison; a side takes six. */
export const PLACE = {
  kind: 0,
  fenceViolations: 1,
  /** the four similarities in the order of SIMILARITIES */
  similar: 2,
  control: 6,
  candidate: 12,
  /** behind steps and calls of both sides */
  aaPercent: 22,
  sessionId: 23,
  messageId: 24,
} as const
export const SIDE_PLACE = {
  result: 0,
  latency: 1,
  firstContent: 2,
  tokens: 3,
  characters: 4,
  code: 5,
} as const

/** Undefined if a number is none. */
export function comparisonFacts(comparison: Comparison): Facts | undefined {
  const { control, candidate } = comparison
  const facts = [
    KINDS.indexOf(comparison.kind),
    count(comparison.fenceViolations),
    scaled(comparison.textSimilarity, TEN_THOUSANDTHS, 1),
    scaled(comparison.planSimilarity, TEN_THOUSANDTHS, 1),
    scaled(comparison.callSetSimilarity, TEN_THOUSANDTHS, 1),
    scaled(comparison.callOrderSimilarity, TEN_THOUSANDTHS, 1),
    ...sideFacts(control),
    ...sideFacts(candidate),
    count(control.steps),
    count(control.calls),
    count(candidate.steps),
    count(candidate.calls),
    comparison.aaPercent === undefined ? null : count(comparison.aaPercent),
    ...(comparison.sessionId === undefined || comparison.messageId === undefined
      ? []
      : [name(comparison.sessionId), name(comparison.messageId)]),
  ]
  return facts.some((fact) => Number.isNaN(fact)) ? undefined : facts
}

const sideFacts = (side: ComparedSide): Facts => [
  SIDE_RESULTS.indexOf(side.result),
  scaled(side.latencyMs, TENTHS, LONGEST_MS),
  scaled(side.firstContentMs, TENTHS, LONGEST_MS),
  side.tokens === undefined ? null : count(side.tokens),
  count(side.characters),
  side.code?.slice(0, 100) ?? null,
]

/** Undefined if a number is none. */
export function executionFacts({
  mode,
  result,
  shadow,
  latencyMs,
  firstContentMs,
  sessionId,
  agentId,
}: KeptExecution): Facts | undefined {
  const word = shadow === true && result !== 'abandoned' ? (`shadow_${result}` as const) : result
  const facts = [
    EXECUTION_MODES.indexOf(mode),
    EXECUTION_RESULTS.indexOf(word),
    scaled(latencyMs, TENTHS, LONGEST_MS),
    scaled(firstContentMs, TENTHS, LONGEST_MS),
    ...(sessionId === undefined ? [] : [name(sessionId), name(agentId ?? '')]),
  ]
  return facts.some((fact) => Number.isNaN(fact)) ? undefined : facts
}

/** Of the facts of an execution: where its session and its agent are. */
export const FOR_PLACE = { result: 1, sessionId: 4, agentId: 5 } as const

/** Of `[org, session, agent, result]`; undefined for what is no user's, and what this version does not understand. */
export function executedForOf(list: unknown): ExecutedFor | undefined {
  if (!Array.isArray(list)) return undefined
  const [orgId, sessionId, agentId, result]: readonly unknown[] = list
  if (typeof orgId !== 'string' || typeof result !== 'number' || PUBLIC_RESULTS[result] === undefined)
    return undefined
  return {
    orgId,
    agentId: typeof agentId === 'string' ? agentId : '',
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
  }
}

/** characters of an id */
const MAX_ID = 200
const name = (id: string): string => storableText(id.slice(0, MAX_ID))

/** Undefined for what does not count in public, and what this version does not understand. */
export function executionOf(facts: unknown): ExecutionFacts | undefined {
  if (!Array.isArray(facts)) return undefined
  const [modePlace, resultPlace, latency, firstContent]: readonly unknown[] = facts
  if (typeof modePlace !== 'number' || typeof resultPlace !== 'number' || typeof latency !== 'number')
    return undefined
  const mode = EXECUTION_MODES[modePlace]
  const result = PUBLIC_RESULTS[resultPlace]
  if (mode === undefined || result === undefined) return undefined
  const known = { mode, result, latencyMs: latency / TENTHS }
  return typeof firstContent === 'number' ? { ...known, firstContentMs: firstContent / TENTHS } : known
}

/** Of `[at, org, facts]`; undefined for what is not judged, and what this version does not understand. */
export function judgedOf(list: unknown): JudgedExecution | undefined {
  if (!Array.isArray(list)) return undefined
  const [at, orgId, facts]: readonly unknown[] = list
  if (typeof at !== 'number' || typeof orgId !== 'string' || !Array.isArray(facts)) return undefined
  const [modePlace, resultPlace, latency, firstContent, sessionId, agentId]: readonly unknown[] = facts
  if (typeof modePlace !== 'number' || typeof resultPlace !== 'number' || typeof latency !== 'number')
    return undefined
  const mode = EXECUTION_MODES[modePlace]
  const word = EXECUTION_RESULTS[resultPlace]
  if (mode === undefined || word === undefined) return undefined
  const result = word === 'abandoned' ? 'timeout' : RESULTS.find((one) => word.endsWith(one))
  if (result === undefined) return undefined
  return {
    at,
    mode,
    orgId,
    agentId: typeof agentId === 'string' ? agentId : '',
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
    result,
    shadow: word.startsWith('shadow_'),
    latencyMs: latency / TENTHS,
    ...(typeof firstContent === 'number' ? { firstContentMs: firstContent / TENTHS } : {}),
  }
}

/** What a sample tells beside the machine's own inputs; undefined where it tells nothing of that. */
export function observationOf(at: number, input: unknown): Observation | undefined {
  const parsed = observedSchema.safeParse(input)
  if (!parsed.success) return undefined
  switch (parsed.data.kind) {
    case 'probe':
      return { at, runtimeHealthy: parsed.data.healthy }
    case 'command':
      return { at, command: parsed.data.command }
    case 'tick': {
      const { evidence, guardrails } = parsed.data
      return { at, runtimeHealthy: evidence.probe.failures < guardrails.probeFailures }
    }
  }
}

const observedSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('probe'), healthy: z.boolean() }),
  z.object({ kind: z.literal('command'), command: z.unknown() }),
  z.object({
    kind: z.literal('tick'),
    evidence: z.object({ probe: z.object({ failures: z.number() }) }),
    guardrails: z.object({ probeFailures: z.number() }),
  }),
])

function scaled(value: number | undefined, scale: number, most: number): number | null {
  return value === undefined ? null : Math.round(Math.min(Math.max(value, 0), most) * scale)
}

const MOST = 1_000_000_000
const count = (value: number): number => Math.round(Math.min(Math.max(value, 0), MOST))
