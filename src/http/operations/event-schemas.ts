import { z } from 'zod'
import { doneEventSchema, errorEventSchema, messageEventSchema } from '../../protocol/events.js'
import { flagsEventSchema, metricsEventSchema, transitionEventSchema } from '../../protocol/fallback.js'
import { rolloutChangeSchema } from '../../protocol/rollout.js'

/** One event of a stream once it is parsed: `data` is what its JSON says, `id` its number. */

/** 1, 2, 3 … within the stream */
const id = z.number().int().min(1)
const heartbeat = z.strictObject({ event: z.literal('heartbeat'), data: z.null() })

/** Of a turn. `done` and `error` are terminal: one of them ends the stream. */
export const chatStreamEventSchema = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('message'), id, data: messageEventSchema }),
  z.strictObject({ event: z.literal('done'), id, data: doneEventSchema }),
  z.strictObject({ event: z.literal('error'), id, data: errorEventSchema }),
  heartbeat,
])

/** Of `GET /runtime/events`. */
export const operatorStreamEventSchema = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('transition'), id, data: transitionEventSchema }),
  z.strictObject({ event: z.literal('rollout'), id, data: rolloutChangeSchema }),
  z.strictObject({ event: z.literal('flags'), id, data: flagsEventSchema }),
  z.strictObject({ event: z.literal('metrics'), id, data: metricsEventSchema }),
  heartbeat,
])
