import { z } from 'zod'
import { executionModeSchema } from './modes.js'

/** `GET /runtime/shadow/pairs`: single pairs of a shadow report, those that differ most first. */

export const PAIR_SORTS = ['difference', 'newest'] as const
export const pairSortSchema = z.enum(PAIR_SORTS)
export type PairSort = z.infer<typeof pairSortSchema>

export const SHADOW_PAIRS_MAX = 100

/** What is absent: the last 7 days, all orgs, all agents, both controls, the 20 that differ most. */
export const shadowPairsQuerySchema = z.strictObject({
  from: z.string().optional(),
  to: z.string().optional(),
  orgId: z.string().min(1).optional(),
  agentId: z.string().min(1).optional(),
  control: executionModeSchema.optional(),
  sort: pairSortSchema.default('difference'),
  limit: z.coerce.number().int().min(1).max(SHADOW_PAIRS_MAX).default(20),
})

const count = z.number().int().min(0)
const part = z.number().min(0).max(1).nullable()

const shadowPairSideSchema = z.strictObject({
  mode: executionModeSchema,
  result: z.enum(['ok', 'error', 'timeout']),
  code: z.string().nullable(),
  latencyMs: z.number(),
  firstContentMs: z.number().nullable(),
  tokens: count.nullable(),
  characters: count,
})

export const shadowPairSchema = z.strictObject({
  at: z.string().describe("Start of the user's turn"),
  orgId: z.string(),
  agentId: z.string(),
  sessionId: z.string().nullable().describe("Of the user's turn; null of pairs that an older version kept"),
  messageId: z
    .string()
    .nullable()
    .describe(
      "Of the user's turn: with the session it names its trace; null of pairs that an older version kept",
    ),
  difference: z
    .number()
    .min(0)
    .max(1)
    .describe('1 if one side succeeded and the other did not, else the mean of the parts that are not null'),
  parts: z
    .strictObject({
      result: z.number().min(0).max(1),
      text: part,
      plan: part,
      calls: part,
      callOrder: part,
      latency: part,
      firstContent: part,
      length: part,
      tokens: part,
    })
    .describe(
      '0 (alike) to 1; null where it is not known of both sides. Text, plan and calls: 1 − similarity. Times, length and tokens: 1 − smaller / larger, where both sides succeeded',
    ),
  control: shadowPairSideSchema,
  candidate: shadowPairSideSchema,
  content: z
    .strictObject({ control: z.string(), candidate: z.string() })
    .optional()
    .describe(
      'Both answers, redacted and cut at 8 KiB; only if the service keeps content, and as long as it does',
    ),
})
export type ShadowPair = z.infer<typeof shadowPairSchema>

export const shadowPairsSchema = z.strictObject({
  /** `from` belongs to the span, `to` does not */
  from: z.string(),
  to: z.string(),
  /** null: all of them */
  orgId: z.string().nullable(),
  agentId: z.string().nullable(),
  control: executionModeSchema.nullable(),
  sort: pairSortSchema,
  compared: count.describe('Pairs that were put in order; those whose user left are not among them'),
  pairs: z.array(shadowPairSchema).describe('In the order asked for; equal ones newest first'),
})
export type ShadowPairs = z.infer<typeof shadowPairsSchema>
