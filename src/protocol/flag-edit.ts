import { z } from 'zod'
import { fallbackPolicySchema } from './fallback.js'
import { flagChangeSchema } from './flag-edit-record.js'
import { executionModeSchema } from './modes.js'

/** Body and answers of `PATCH /runtime/flags`. */

const orgId = z.string().trim().min(1).max(200)
const orgIds = z.array(orgId).max(1000)
const percent = z.number().int().min(0).max(100)

const enabledOrgsSchema = z
  .strictObject({
    /** exactly these; not together with the other two */
    set: orgIds.optional(),
    add: orgIds.min(1).optional(),
    remove: orgIds.min(1).optional(),
  })
  .refine(({ set, add, remove }) => (set === undefined) !== (add === undefined && remove === undefined), {
    error: 'must have either set, or add and remove',
    params: { 'zh-CN': '必须只有 set，或者只有 add 和 remove' },
  })

/** What to change in the operators' flags. An absent field stays as it is. */
export const flagEditSchema = z
  .strictObject({
    /** for everybody that no rule names; null: CHAT_EXECUTION_MODE and CHAT_RUNTIME_ENABLED_ORGS decide again */
    mode: executionModeSchema.nullable().optional(),
    enabledOrgs: enabledOrgsSchema.optional(),
    /** share of the sessions of all other orgs that get the runtime; 0: no canary */
    canaryPercent: percent.optional(),
    /** null: CHAT_RUNTIME_SHADOW_PERCENT decides again */
    shadowPercent: percent.nullable().optional(),
    guardrails: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('Fields of the guardrails in effect; all others stay'),
    fallbackPolicy: fallbackPolicySchema.optional(),
    limits: z
      .record(z.string(), z.unknown())
      .optional()
      .describe(
        'Fields of the limits in effect; all others stay. In `weights`, null takes an organisation away',
      ),
    /** null: all endpoints in their order */
    llmRoute: z
      .strictObject({ endpoints: z.array(z.string().min(1).max(200)).min(1).max(100) })
      .nullable()
      .optional(),
  })
  .refine((edit) => Object.keys(edit).length > 0, {
    error: 'must name at least one field',
    params: { 'zh-CN': '至少要有一个字段' },
  })
export type FlagEdit = z.infer<typeof flagEditSchema>

/** What the operators' file says. Null where its form is not one that this service writes: it was made by hand. */
export const opsValuesSchema = z.strictObject({
  mode: z.strictObject({
    value: executionModeSchema.nullable().describe('null: the environment decides'),
    enabledOrgs: z.array(z.string()).nullable().describe('null: the targeting was made by hand'),
    canaryPercent: z.number().nullable(),
  }),
  shadow: z.strictObject({
    percent: z
      .number()
      .nullable()
      .describe('null: the environment decides, or the targeting was made by hand'),
    handMade: z.boolean(),
  }),
  guardrails: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('As they stand in the file, without the defaults'),
  fallbackPolicy: fallbackPolicySchema.nullable(),
  llmRoute: z.array(z.string()).nullable().describe('null: all endpoints in their order, or made by hand'),
  limits: z
    .record(z.string(), z.unknown())
    .nullable()
    .optional()
    .describe('As they stand in the file, without the defaults'),
})
export type OpsValues = z.infer<typeof opsValuesSchema>

/** The operators' file as this replica reads it. */
export const opsFileViewSchema = z.strictObject({
  file: z
    .string()
    .describe(
      'CHAT_FLAGS_FILE, or what takes its place: the document of CHAT_FLAG_STORE, CHAT_PROVIDER_MODULE',
    ),
  values: opsValuesSchema
    .nullable()
    .describe('Null if the file cannot be read as flags, or a provider has them'),
  fault: z.string().nullable().describe('why, with the line if it has one; else null'),
})
export type OpsFileView = z.infer<typeof opsFileViewSchema>

/** `GET /runtime/flags`. */
export const flagsViewSchema = z.strictObject({
  resolver: z
    .enum(['file', 'in-process', 'rpc', 'provider'])
    .describe(
      '`provider`: the provider of CHAT_PROVIDER_MODULE has the flags; they cannot be read or edited here',
    ),
  state: z.enum(['starting', 'ready', 'stale', 'unavailable']),
  faults: z.array(
    z.strictObject({
      where: z.string(),
      line: z.number().optional(),
      message: z.string(),
      since: z.string(),
    }),
  ),
  ops: opsFileViewSchema,
  /** what decides where the flags leave it open: CHAT_EXECUTION_MODE and its neighbours */
  environment: z.strictObject({
    mode: executionModeSchema,
    enabledOrgs: z.array(z.string()),
    shadowPercent: z.number(),
    errorRate: z.number().describe('What counts while the guardrail `errorRate` is null, 0 to 1'),
    totalMs: z
      .number()
      .optional()
      .describe('What counts while the guardrail `totalMs` is null; absent in answers of older versions'),
  }),
})
export type FlagsView = z.infer<typeof flagsViewSchema>

/** `PATCH /runtime/flags?dryRun=true` writes nothing. */
export const flagEditQuerySchema = z.strictObject({ dryRun: z.enum(['true', 'false']).optional() })

/**
 * What an edit would do to the sessions of the last 24 hours, by the operators' flags alone: who is under a fallback stays
 * with the direct LLM whatever they say.
 */
export const flagEditEffectSchema = z.strictObject({
  from: z.string(),
  to: z.string(),
  sessions: z
    .number()
    .int()
    .describe('With a kept execution in that span, each counted once; at most 100,000'),
  toRuntime: z.number().int().describe('Of these: now direct, then runtime'),
  toDirect: z.number().int(),
  unknown: z.number().int().describe('Executions whose session is not known: kept by an older version'),
  more: z.boolean().describe('There are more sessions than were looked at'),
  withoutUser: z
    .boolean()
    .describe('A hand-made rule asks for the user, who is not kept: these were asked for nobody'),
  sentence: z.string().describe("All of it in the caller's language"),
})
export type FlagEditEffect = z.infer<typeof flagEditEffectSchema>

/** Answer of `PATCH /runtime/flags?dryRun=true`. */
export const flagEditPreviewSchema = z.strictObject({
  dryRun: z.literal(true),
  changes: z.array(flagChangeSchema),
  etag: z
    .string()
    .describe(
      'Of the file as it is: with it as `If-Match` the edit that was shown is the one that is made, or there is a 412',
    ),
  diff: z.string().nullable().describe('unified; empty if nothing changes, null if more than 1,000 lines do'),
  effect: flagEditEffectSchema.nullable().describe('Null if the journal cannot be read'),
  values: opsValuesSchema,
})
export type FlagEditPreview = z.infer<typeof flagEditPreviewSchema>

/** Answer of `PATCH /runtime/flags`. */
export const flagEditAnswerSchema = z.strictObject({
  changes: z.array(flagChangeSchema).describe('Empty if all was so already: then nothing was written'),
  etag: z.string().describe('Of the file as it is now, for the next `If-Match`'),
  inForce: z
    .boolean()
    .describe(
      'This replica decides by it; false: it did not within two seconds, and `note` says where to look',
    ),
  note: z.string(),
  values: opsValuesSchema,
})
export type FlagEditAnswer = z.infer<typeof flagEditAnswerSchema>
