import { z } from 'zod'

/** `GET /runtime/baseline`: how both execution modes do beside the operators' targets, from the kept executions. */

/** Of all executions of a mode but the aborted ones; a timeout is also an error. */
export const BASELINE_METRICS = ['avgLatencyMs', 'p95LatencyMs', 'errorRate', 'timeoutRate'] as const
export const baselineMetricSchema = z.enum(BASELINE_METRICS)
export type BaselineMetric = z.infer<typeof baselineMetricSchema>

/** Met below these: latencies in ms, rates 0 to 1. From the operators' table: < 3 s, < 5 s, < 5%, < 2%. */
export const BASELINE_TARGETS: Readonly<Record<BaselineMetric, number>> = {
  avgLatencyMs: 3_000,
  p95LatencyMs: 5_000,
  errorRate: 0.05,
  timeoutRate: 0.02,
}

const count = z.number().int().min(0)
const instant = z.string()

/** null if there was no execution; `p95LatencyMs` is at most 1% off */
const cellSchema = z.strictObject({ value: z.number().nullable(), met: z.boolean().nullable() })
export type BaselineCell = z.infer<typeof cellSchema>

export const baselineRowSchema = z.strictObject({
  metric: baselineMetricSchema,
  name: z.string().describe("In the caller's language"),
  target: z.number().describe('Met below'),
  targetText: z.string().describe('The same for people: `< 3 s`'),
  direct: cellSchema,
  runtime: cellSchema,
})
export type BaselineRow = z.infer<typeof baselineRowSchema>

export const baselineSchema = z.strictObject({
  from: instant.describe('Executions that ended in this span: `from` belongs to it, `to` does not'),
  to: instant,
  orgId: z.string().nullable().describe('null: all of them'),
  samples: z.strictObject({ direct: count, runtime: count }).describe('Executions behind the numbers'),
  rows: z.array(baselineRowSchema),
  sentences: z
    .strictObject({ direct: z.string(), runtime: z.string() })
    .describe("One sentence a mode, in the caller's language"),
})
export type BaselineView = z.infer<typeof baselineSchema>

/** What is absent: the last 24 hours, all orgs. Instants as ISO 8601. */
export const baselineQuerySchema = z.strictObject({
  from: z.string().optional(),
  to: z.string().optional(),
  orgId: z.string().trim().min(1).max(200).optional(),
})
