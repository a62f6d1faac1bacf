import { z } from 'zod'
import { actorSchema, tripCauseSchema } from './fallback.js'

/** Words, requests and answers of the guarded rollout, as operators' clients see them. */

/** The key of the rollout's flag, in the override's file and at any provider. */
export const ROLLOUT_FLAG_KEY = 'chat-runtime-rollout'

/**
 * `none`: there never was one. `running`: at a stage. `paused`: by a person; the share stays. `finished`: the last stage was
 * healthy for its time; the share stays until a person makes it permanent. `ended`: the share is 0.
 */
export const ROLLOUT_STATES = ['none', 'running', 'paused', 'finished', 'ended'] as const
export const rolloutStateSchema = z.enum(ROLLOUT_STATES)
export type RolloutStateName = z.infer<typeof rolloutStateSchema>

/**
 * How a rollout ended: `stopped` by breaches; `aborted` by a person; `permanent`: the operators' flag gives the runtime by
 * default; `superseded`: a targeting of the operators' flag decides for everybody.
 */
export const ROLLOUT_ENDS = ['stopped', 'aborted', 'permanent', 'superseded'] as const
export const rolloutEndSchema = z.enum(ROLLOUT_ENDS)
export type RolloutEnd = z.infer<typeof rolloutEndSchema>

/** What happened to a rollout. */
export const ROLLOUT_CHANGE_KINDS = [
  'started',
  'raised',
  'lowered',
  'stopped',
  'finished',
  'paused',
  'resumed',
  'aborted',
  'made_permanent',
  'superseded',
  'hand_edit',
  'hand_edit_refused',
  'adopted',
] as const
export const rolloutChangeKindSchema = z.enum(ROLLOUT_CHANGE_KINDS)
export type RolloutChangeKind = z.infer<typeof rolloutChangeKindSchema>

/** What the executions of a stage say. */
export const STAGE_VERDICTS = ['breach', 'healthy', 'insufficient_data'] as const
export const stageVerdictSchema = z.enum(STAGE_VERDICTS)
export type StageVerdictName = z.infer<typeof stageVerdictSchema>

/**
 * Why a running rollout does not go on now: the stage's time; too few executions; rates or latency not good enough for more
 * traffic; the health probe; a fallback; the direct LLM fails as well; another replica leads; the flag's file.
 */
export const ROLLOUT_WAITS = [
  'time',
  'samples',
  'rates',
  'probe',
  'fallback',
  'both_fail',
  'leader',
  'store',
] as const
export const rolloutWaitSchema = z.enum(ROLLOUT_WAITS)
export type RolloutWait = z.infer<typeof rolloutWaitSchema>

const percent = z.number().int().min(1).max(100)
const ids = z.array(z.string().trim().min(1).max(200)).min(1).max(1000)

/** percent of the sessions, each stage above the one before */
export const rolloutStagesSchema = z
  .array(percent)
  .min(1)
  .max(20)
  .refine((stages) => stages.every((stage, at) => at === 0 || stage > (stages[at - 1] ?? 0)), {
    error: 'must rise from stage to stage',
    params: { 'zh-CN': '必须逐阶段递增' },
  })

/** `POST /runtime/rollout`. */
export const rolloutRequestSchema = z.strictObject({
  stages: rolloutStagesSchema,
  /** the least time of a stage; fractions are for drills: 0.02 is about a second */
  everyMinutes: z
    .number()
    .min(1 / 60)
    .max(7 * 1440),
  /** absent: everybody for whom the operators' flag says the direct LLM by default */
  orgIds: ids.optional(),
  agentIds: ids.optional(),
  reason: z.string().trim().max(500).optional(),
})
export type RolloutRequest = z.infer<typeof rolloutRequestSchema>

/** `POST /runtime/rollout/pause`, `/resume` and `/abort`; the body is optional. */
export const rolloutCommandSchema = z.strictObject({ reason: z.string().trim().max(500).optional() })

const instant = z.string()
const count = z.number().int().min(0)

const planFields = {
  stages: z.array(z.number().int()),
  everyMinutes: z.number(),
  /** null: everybody */
  orgIds: z.array(z.string()).nullable(),
  agentIds: z.array(z.string()).nullable(),
}
/** Of the breach that lowered or stopped it; rates 0 to 1, times in ms. */
const breachFields = {
  cause: tripCauseSchema.nullable(),
  value: z.number().nullable(),
  threshold: z.number().nullable(),
}

/** The executions of runtime turns that this stage gave to the runtime, on this replica. */
export const stageEvidenceSchema = z.strictObject({
  total: count,
  errors: count,
  timeouts: count,
  /** ms; 0 if there is none */
  avgLatencyMs: z.number(),
})
export type StageEvidence = z.infer<typeof stageEvidenceSchema>

/** `GET /runtime/rollout`, and the answers of its commands. */
export const rolloutViewSchema = z.strictObject({
  state: rolloutStateSchema,
  /** share of the sessions that the rollout puts on the runtime now, of those it is for */
  percent: z.number().int(),
  /** the present stage, counted from 1; null if there is none */
  stage: z.number().int().nullable(),
  /** null while there never was a rollout */
  plan: z.strictObject(planFields).nullable(),
  /** of the state or stage */
  since: instant.nullable(),
  /** how it ended */
  end: rolloutEndSchema.nullable(),
  /** the stage (percent) that the newest breach left, until a stage as high was passed: one more breach stops */
  failedPercent: z.number().int().nullable(),
  ...breachFields,
  /** a person's words */
  reason: z.string(),
  /** of the present stage, on this replica; null if nothing is judged */
  verdict: stageVerdictSchema.nullable(),
  evidence: stageEvidenceSchema,
  /** why it does not go on now; null: it does, or it is not running */
  waitsFor: rolloutWaitSchema.nullable(),
  /** s until the stage's least time is over on this replica; null if none runs */
  secondsLeft: z.number().nullable(),
  /** one sentence: what it does, and what a person can do */
  summary: z.string(),
  /** the command that makes a finished rollout permanent for those it is for; null where there is none, and in other states */
  next: z.string().nullable(),
  persisted: z.boolean(),
  propagated: z.boolean(),
  revision: count,
  lease: z.strictObject({ holder: z.string().nullable(), mine: z.boolean() }),
  alerts: z.array(z.string()),
  /** this process */
  replica: z.string(),
})
export type RolloutView = z.infer<typeof rolloutViewSchema>

const changeFields = {
  kind: rolloutChangeKindSchema,
  from: rolloutStateSchema,
  to: rolloutStateSchema,
  fromPercent: z.number().int(),
  toPercent: z.number().int(),
  ...planFields,
  actor: actorSchema,
  /** the replica that did it */
  replica: z.string(),
  /** the person, where one asked by the API */
  userId: z.string().nullable(),
  ...breachFields,
  evidence: stageEvidenceSchema.nullable(),
  revision: count,
}

/** One change as it is kept; `at` in wall-clock ms. */
export const rolloutChangeRecordSchema = z.strictObject({
  at: z.number(),
  ...changeFields,
  /** a person's words, or why an edit was refused */
  reason: z.string(),
})
export type RolloutChangeRecord = z.infer<typeof rolloutChangeRecordSchema>

/** In events and notifications, and with its id in `GET /runtime/rollout/history`, newest first. */
export const rolloutChangeSchema = z.strictObject({
  at: instant,
  ...changeFields,
  /** a sentence in the caller's language */
  reason: z.string(),
})
export type RolloutChangeView = z.infer<typeof rolloutChangeSchema>
export const rolloutEntrySchema = rolloutChangeSchema.extend({ id: z.number().int() })
export type RolloutEntry = z.infer<typeof rolloutEntrySchema>

export const isRolloutChange = <T extends object>(
  notice: T | RolloutChangeRecord,
): notice is RolloutChangeRecord => 'toPercent' in notice

/** The same for the same change, no matter which replica tells of it, and when. */
export const rolloutChangeId = ({ replica, revision, at, kind }: RolloutChangeRecord): string =>
  [replica, 'rollout', revision, at, kind].join('/')
