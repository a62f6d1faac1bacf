import { z } from 'zod'
import { fallbackStateSchema, transitionSchema } from './fallback.js'

/** `POST /runtime/replay`: kept evidence through the fallback with other guardrails. Instants ISO 8601 UTC. */

export const replayRequestSchema = z.strictObject({
  /** default: 24 h before `to` */
  from: z.string().optional(),
  /** default: now */
  to: z.string().optional(),
  /** fields of the guardrails in force in this replica; all others stay */
  guardrails: z.record(z.string(), z.unknown()).default({}),
})
export type ReplayRequestBody = z.infer<typeof replayRequestSchema>

/** the longest span, days: so long what a replay needs is kept */
export const REPLAY_MAX_DAYS = 7

const count = z.number().int().min(0)

/** A transition without what only a kept one has. */
export const replayTransitionSchema = transitionSchema.pick({
  at: true,
  kind: true,
  from: true,
  to: true,
  scope: true,
  scopeIds: true,
  manualTo: true,
  userId: true,
  cause: true,
  value: true,
  threshold: true,
  reason: true,
  trips: true,
  holdUntil: true,
  recoveringPercent: true,
})
export type ReplayTransition = z.infer<typeof replayTransitionSchema>

const sideSchema = z.strictObject({
  stateAtStart: fallbackStateSchema,
  /** relapses included */
  trips: count,
  /** ms of the span */
  fallbackMs: z.number(),
  recoveringMs: z.number(),
  /** oldest first */
  transitions: z.array(replayTransitionSchema),
})

export const replaySchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  /** both sides are told up to here; before `to` where the answer is partial */
  until: z.string(),
  /** what ended it early; null: nothing did */
  partial: z.enum(['time', 'rows', 'transitions']).nullable(),
  /** guardrails that differ from those in force */
  changed: z.array(z.strictObject({ name: z.string(), inForce: z.unknown(), replayed: z.unknown() })),
  /** of these the ones that change nothing in a replay */
  ignored: z.array(z.string()),
  replayed: sideSchema,
  /** what happened, as the journal has it */
  happened: sideSchema,
  evidence: z.strictObject({
    executions: count,
    shadows: count,
    probeVerdicts: count,
    commands: count,
    /** the oldest entry that was looked at; null: there is none */
    since: z.string().nullable(),
  }),
  /** what the replay cannot know, a sentence each, in the caller's language */
  limits: z.array(z.string()),
})
export type ReplayView = z.infer<typeof replaySchema>
