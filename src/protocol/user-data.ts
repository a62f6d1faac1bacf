import { z } from 'zod'
import { sessionSchema } from './api.js'
import { turnTraceSchema } from './turn-trace.js'

const id = z.string().trim().min(1).max(200)

/** `POST /runtime/erase`: a user in one org, all users of an org, or (for owners) a user id in all orgs. */
export const eraseRequestSchema = z
  .strictObject({
    userId: id
      .optional()
      .describe(
        'Without `orgId`: from an admin, in the own organisation alone; from an owner, this user id in every organisation',
      ),
    orgId: id.optional(),
  })
  .refine(({ userId, orgId }) => userId !== undefined || orgId !== undefined, {
    error: 'must name userId or orgId',
    params: { 'zh-CN': '必须包含 userId 或 orgId' },
  })
export type EraseRequest = z.infer<typeof eraseRequestSchema>

/** How much was erased. */
export const eraseAnswerSchema = z.strictObject({
  sessions: z.number().int().describe('Conversations, with their turns and traces'),
  comparisons: z.number().int().describe('Comparisons of shadows'),
  contents: z.number().int().describe('Answers that were kept with comparisons'),
  executions: z.number().int().describe('Numbers of executions'),
})
export type EraseAnswer = z.infer<typeof eraseAnswerSchema>

export const exportQuerySchema = z.strictObject({
  userId: id,
  orgId: id.optional(),
})

/** One conversation of an export. */
export const exportedSessionSchema = sessionSchema.extend({
  orgId: z.string(),
  traces: z.array(turnTraceSchema).describe('Of its turns, where there is one'),
})

/** `GET /runtime/export`: what is kept of one user. Times ISO 8601 UTC. */
export const exportSchema = z.strictObject({
  userId: z.string(),
  exportedAt: z.string(),
  sessions: z.array(exportedSessionSchema).describe('In no particular order'),
})
