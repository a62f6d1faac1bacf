import { z } from 'zod'

/** Value of flag `chat-agent-profile`; an absent field leaves the backend its own default. */
export const agentProfileSchema = z
  .strictObject({
    systemPrompt: z.string(),
    model: z.string().min(1),
    temperature: z.number().min(0).max(2),
    maxTokens: z.number().int().positive(),
  })
  .partial()
export type AgentProfile = Readonly<z.infer<typeof agentProfileSchema>>
