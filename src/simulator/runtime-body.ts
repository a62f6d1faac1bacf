import { z } from 'zod'

/** The body of `POST /api/v1/execute/stream`. */
const executeSchema = z.object({
  session_id: z.string(),
  agent_id: z.string(),
  org_id: z.string(),
  user_message: z.string(),
  history_messages: z
    .array(z.object({ role: z.enum(['user', 'assistant', 'system']), content: z.string() }))
    .optional(),
  agent_config: z
    .object({
      system_prompt: z.string().nullish(),
      model: z.string().nullish(),
      temperature: z.number().nullish(),
      max_tokens: z.number().int().nullish(),
    })
    .nullish(),
  metadata: z.record(z.string(), z.unknown()).nullish(),
})
export type ExecuteBody = z.infer<typeof executeSchema>

/** The body, or FastAPI's account of what is wrong with it. */
export function parseExecute(text: string): { body: ExecuteBody } | { detail: unknown[] } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { detail: [{ type: 'json_invalid', loc: ['body', 0], msg: 'JSON decode error', input: {} }] }
  }
  const parsed = executeSchema.safeParse(value)
  if (parsed.success) return { body: parsed.data }
  const detail = parsed.error.issues.map((issue) => ({
    type: issue.code,
    loc: ['body', ...issue.path],
    msg: issue.message,
    input: value,
  }))
  return { detail }
}

/** Whose execution or cancel it was; no content. */
export function describeBody(body: string): object {
  const known = z.object({ session_id: z.string(), metadata: executeSchema.shape.metadata })
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return {}
  }
  const parsed = known.safeParse(value)
  return parsed.success ? { sessionId: parsed.data.session_id, metadata: parsed.data.metadata } : {}
}
