import { z } from 'zod'

/** `GET /chat/sessions`: the caller's own conversations. */

export const sessionListQuerySchema = z.strictObject({
  /** `nextCursor` of the page before */
  cursor: z.string().max(100).optional(),
  limit: z.coerce.number().int().min(1).max(100).default(20),
})

/** The newest, by their creation, first; times ISO 8601 UTC. */
export const sessionListSchema = z.strictObject({
  sessions: z.array(
    z.strictObject({
      sessionId: z.string(),
      agentId: z.string(),
      createdAt: z.string(),
      /** the newest turn's end, or its start while it runs */
      updatedAt: z.string(),
      turns: z.number(),
      /** the first 100 characters of the first message */
      title: z.string(),
    }),
  ),
  /** null on the last page */
  nextCursor: z.string().nullable(),
})
export type SessionListView = z.infer<typeof sessionListSchema>
