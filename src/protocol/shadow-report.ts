import { z } from 'zod'
import { executionModeSchema } from './modes.js'

/** `GET /runtime/shadow/report`: what would change if the control's users were switched to the candidate. */

/** In the order of the report. */
export const SHADOW_DIMENSIONS = [
  'success_rate',
  'error_rate',
  'timeout_rate',
  'latency',
  'first_content',
  'length',
  'tokens',
  'text_similarity',
  'plan_similarity',
  'call_set_similarity',
  'call_order_similarity',
] as const
export const shadowDimensionSchema = z.enum(SHADOW_DIMENSIONS)
export type ShadowDimension = z.infer<typeof shadowDimensionSchema>

/**
 * `better`, `worse`: proven, beyond what the control differs from itself. `same`: proven to lie within the margin.
 * `insufficient_data`: neither.
 */
export const SHADOW_VERDICTS = ['better', 'same', 'worse', 'insufficient_data'] as const
export const shadowVerdictSchema = z.enum(SHADOW_VERDICTS)
export type ShadowVerdict = z.infer<typeof shadowVerdictSchema>

/** Which way is better. `as_control`: any change is for the worse, for nobody knows better. */
export const shadowDirectionSchema = z.enum(['more_is_better', 'less_is_better', 'as_control'])
export type ShadowDirection = z.infer<typeof shadowDirectionSchema>

export const SHADOW_SAMPLES_MAX = 20

/** Width of a bin of times on the scale of ln ms: all times of a bin are within 2% of each other. */
export const TIME_BIN_WIDTH = 0.02

const count = z.number().int().min(0)
const instant = z.string()

/** A number and the interval that holds it at `confidence.interval`. */
export const estimateSchema = z.strictObject({ value: z.number(), low: z.number(), high: z.number() })
export type EstimateView = z.infer<typeof estimateSchema>

export const bilingualSchema = z.strictObject({ 'zh-CN': z.string(), en: z.string() })
export type Bilingual = z.infer<typeof bilingualSchema>

export const shadowDimensionReportSchema = z.strictObject({
  dimension: shadowDimensionSchema,
  /** of `control`, `candidate`, `difference`, `floor`: rates and similarities are 0 to 1 */
  unit: z.enum(['share', 'ms', 'characters', 'tokens', 'similarity']),
  direction: shadowDirectionSchema,
  /** means over the compared pairs; of a similarity: how alike the control's answers are among themselves */
  control: z.number().nullable(),
  /** ... of a similarity: how alike the candidate's answers are to the control's */
  candidate: z.number().nullable(),
  /** of times: 95% took no longer; null of a control of which too many users left to know it, and of other dimensions */
  p95: z.strictObject({ control: z.number().nullable(), candidate: z.number().nullable() }).nullable(),
  /** pairs behind it: of both backends, and of the control with itself */
  pairs: z.strictObject({ ab: count, aa: count }),
  /** of them those whose user left: the control's time is only known to be longer (estimated by Kaplan and Meier) */
  censored: z.strictObject({ ab: count, aa: count }),
  /** candidate − control; null if it has no interval yet */
  difference: estimateSchema.nullable(),
  /** of latencies: by how much the candidate takes longer, 0.2 = 20%, from the mean of the log ratios */
  relative: estimateSchema.nullable(),
  /** noise floor: the control once more − control; of a similarity: that of the control with itself */
  floor: estimateSchema.nullable(),
  floorRelative: estimateSchema.nullable(),
  /** the difference less the floor's, which the verdict is about; relative for latencies, else in `unit` */
  net: estimateSchema.nullable(),
  /** `same` means: `net` lies within ± this; null if nothing was measured */
  margin: z.number().nullable(),
  verdict: shadowVerdictSchema,
  sentence: bilingualSchema,
})
export type ShadowDimensionReport = z.infer<typeof shadowDimensionReportSchema>

/** Shares from 0 to 1 of the pairs of both backends that have the time on both sides; bins from the shortest to the longest, without gaps. */
export const timeDistributionSchema = z.strictObject({
  dimension: z.enum(['latency', 'first_content']),
  bins: z.array(
    z.strictObject({
      fromMs: z.number(),
      toMs: z.number(),
      control: z.number(),
      candidate: z.number(),
    }),
  ),
  controlBeyond: z
    .number()
    .describe('Share of the controls that outlasted every time seen: their users left before the end'),
})
export type TimeDistribution = z.infer<typeof timeDistributionSchema>

const sideOutcomesSchema = z.strictObject({
  ok: count,
  error: count,
  timeout: count,
  /** how often each error code ended an execution */
  codes: z.record(z.string(), count),
})

/** Redacted, and cut at 8 KiB a side. */
export const shadowSampleSchema = z.strictObject({
  at: instant,
  orgId: z.string(),
  agentId: z.string(),
  /** `aa`: the candidate is the control's own backend once more */
  kind: z.enum(['ab', 'aa']),
  control: z.string(),
  candidate: z.string(),
  textSimilarity: z.number().nullable(),
})

export const shadowReportSchema = z.strictObject({
  /** `from` belongs to the span, `to` does not */
  from: instant,
  to: instant,
  /** null: all of them */
  orgId: z.string().nullable(),
  agentId: z.string().nullable(),
  control: executionModeSchema,
  candidate: executionModeSchema,
  /** of a report that is not to be trusted `insufficient_data` */
  verdict: shadowVerdictSchema,
  sentence: bilingualSchema,
  /** whether the pairs are still the sample that was drawn; the sentence begins with it where they are not */
  trust: z.strictObject({
    trusted: z.boolean(),
    /** those for which there are turns enough */
    checks: z.array(
      z.strictObject({
        /** `aa_share`: A/A among the pairs as drawn; `lost`: A/B and A/A turns are dropped alike */
        check: z.enum(['aa_share', 'lost']),
        /** failed where it is above `critical` */
        chiSquare: z.number(),
        critical: z.number(),
      }),
    ),
  }),
  /** of both backends, and of the control with itself; both sides ended by themselves */
  pairs: z.strictObject({ ab: count, aa: count }),
  /** beside them: the user left before the control ended, so that only its times count, as longer ones */
  left: z.strictObject({ ab: count, aa: count }),
  dimensions: z.array(shadowDimensionReportSchema),
  distributions: z.array(timeDistributionSchema).describe('Of latency and of first content'),
  outcomes: z.strictObject({ control: sideOutcomesSchema, candidate: sideOutcomesSchema }),
  /** mutating calls and files of a runtime that was told it ran as a shadow */
  fenceViolations: count,
  /** `failed`: candidates of the span that ended in an error or too late */
  shadows: z.strictObject({
    failed: count,
    /**
     * selected turns without a comparison, by reason: of the same span (whole minutes, those in which it begins and ends too), org, agent and
     * control as the pairs, of all replicas that share the journal (of the others, what they wrote: at most a minute late)
     */
    dropped: z.record(z.string(), count),
  }),
  /** of one interval, and of all verdicts of the report together */
  confidence: z.strictObject({ interval: z.number(), report: z.number() }),
  /** newest first; only if the service keeps content */
  samples: z.array(shadowSampleSchema).optional(),
})
export type ShadowReport = z.infer<typeof shadowReportSchema>

/**
 * What is absent: the last 7 days, all orgs, all agents, the control that was compared more often; where neither was, the
 * one of which more shadows were dropped.
 */
export const shadowReportQuerySchema = z.strictObject({
  from: z.string().optional(),
  to: z.string().optional(),
  orgId: z.string().min(1).optional(),
  agentId: z.string().min(1).optional(),
  control: executionModeSchema.optional(),
})
