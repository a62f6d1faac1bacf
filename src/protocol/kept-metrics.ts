import { z } from 'zod'
import { windowMetricsSchema } from './fallback.js'

/** `GET /runtime/metrics-history`: both windows over the last minutes, from the executions that the journal kept. */

/** s between two points */
export const HISTORY_STEP_SECONDS = 60

export const metricsHistoryQuerySchema = z.strictObject({
  minutes: z.coerce.number().int().min(1).max(180).default(60),
  /** rounded up to whole minutes */
  windowSeconds: z.coerce.number().int().min(60).max(3600).default(300),
  orgId: z.string().min(1).max(200).optional(),
})

export const metricsHistorySchema = z.strictObject({
  /** null: all of them */
  orgId: z.string().nullable(),
  /** of the window behind each point */
  windowSeconds: z.number().int(),
  points: z
    .array(
      z.strictObject({
        at: z.string().describe('End of the window'),
        direct: windowMetricsSchema,
        runtime: windowMetricsSchema,
      }),
    )
    .describe(
      'Oldest first, one a minute; of all replicas that share the journal. Aborted and abandoned executions are not kept: both are 0',
    ),
})
export type MetricsHistory = z.infer<typeof metricsHistorySchema>
