import { storableText } from '../core/text.js'
import { EXECUTION_MODES } from '../protocol/modes.js'
import type { ComparedSide, Comparison, ExecutedFor, KeptExecution } from './comparison.js'
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
/** Of kept executions; the same. */
const EXECUTION_RESULTS = [...RESULTS, 'rejected'] as const

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
  latencyMs,
  firstContentMs,
  sessionId,
  agentId,
}: KeptExecution): Facts | undefined {
  const facts = [
    EXECUTION_MODES.indexOf(mode),
    EXECUTION_RESULTS.indexOf(result),
    scaled(latencyMs, TENTHS, LONGEST_MS),
    scaled(firstContentMs, TENTHS, LONGEST_MS),
    ...(sessionId === undefined ? [] : [name(sessionId), name(agentId ?? '')]),
  ]
  return facts.some((fact) => Number.isNaN(fact)) ? undefined : facts
}

/** Of the facts of an execution: where its session and its agent are. */
export const FOR_PLACE = { sessionId: 4, agentId: 5 } as const

/** Of `[org, session, agent]`; undefined for what this version does not understand. */
export function executedForOf(list: unknown): ExecutedFor | undefined {
  if (!Array.isArray(list)) return undefined
  const [orgId, sessionId, agentId]: readonly unknown[] = list
  if (typeof orgId !== 'string') return undefined
  return {
    orgId,
    agentId: typeof agentId === 'string' ? agentId : '',
    ...(typeof sessionId === 'string' ? { sessionId } : {}),
  }
}

/** characters of an id */
const MAX_ID = 200
const name = (id: string): string => storableText(id.slice(0, MAX_ID))

/** Undefined for what this version does not understand. */
export function executionOf(facts: unknown): ExecutionFacts | undefined {
  if (!Array.isArray(facts)) return undefined
  const [modePlace, resultPlace, latency, firstContent]: readonly unknown[] = facts
  if (typeof modePlace !== 'number' || typeof resultPlace !== 'number' || typeof latency !== 'number')
    return undefined
  const mode = EXECUTION_MODES[modePlace]
  const result = EXECUTION_RESULTS[resultPlace]
  if (mode === undefined || result === undefined) return undefined
  const known = { mode, result, latencyMs: latency / TENTHS }
  return typeof firstContent === 'number' ? { ...known, firstContentMs: firstContent / TENTHS } : known
}

function scaled(value: number | undefined, scale: number, most: number): number | null {
  return value === undefined ? null : Math.round(Math.min(Math.max(value, 0), most) * scale)
}

const MOST = 1_000_000_000
const count = (value: number): number => Math.round(Math.min(Math.max(value, 0), MOST))
