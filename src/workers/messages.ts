import { z } from 'zod'

/** What a worker tells the primary. */
const fromWorker = z.discriminatedUnion('kind', [
  /** The metrics of all workers are asked for; answered by `all_metrics`. */
  z.object({
    kind: z.literal('metrics_asked'),
    ask: z.number(),
    format: z.enum(['prometheus', 'openmetrics']),
  }),
  /** Its own, as `own_metrics` asked for them. */
  z.object({ kind: z.literal('metrics_told'), ask: z.number(), body: z.string() }),
])
export type FromWorker = z.infer<typeof fromWorker>

/** What the primary tells a worker. */
const fromPrimary = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('stop') }),
  z.object({
    kind: z.literal('own_metrics'),
    ask: z.number(),
    format: z.enum(['prometheus', 'openmetrics']),
  }),
  z.object({ kind: z.literal('all_metrics'), ask: z.number(), bodies: z.array(z.string()) }),
])
export type FromPrimary = z.infer<typeof fromPrimary>

/** Undefined for what is no message of ours: libraries talk over the same channel. */
export const readFromWorker = (message: unknown): FromWorker | undefined => fromWorker.safeParse(message).data
export const readFromPrimary = (message: unknown): FromPrimary | undefined =>
  fromPrimary.safeParse(message).data

/** Environment of a worker: its number, from 1 */
export const WORKER_NUMBER = 'CHAT_WORKER_NUMBER'
