import { z } from 'zod'

/** `GET /chat/sessions`: the caller's own conversations. */

export const sessionListQuerySchema = z.strictObject({
  cursor: z.string().max(100).optional().describe('`nextCursor` of the page before'),
  limit: z.coerce.number().int().min(1).max(100).default(20),
})

/** The newest, by their creation, first; times ISO 8601 UTC. */
export const sessionListSchema = z.strictObject({
  sessions: z.array(
    z.strictObject({
      sessionId: z.string(),
      agentId: z.string(),
      createdAt: z.string(),
      updatedAt: z.string().describe("The newest turn's end, or its start while it runs"),
      turns: z.number(),
      title: z.string().describe('The first 100 characters of the first message'),
    }),
  ),
  nextCursor: z.string().nullable().describe('Null on the last page'),
})
export type SessionListView = z.infer<typeof sessionListSchema>
