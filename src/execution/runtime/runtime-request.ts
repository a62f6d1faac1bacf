import type { Turn } from '../backend.js'

/** The body of `POST /api/v1/execute/stream`, as JSON text. */
export function runtimeRequestBody(turn: Turn): string {
  const { caller, profile, history } = turn
  const config = {
    system_prompt: profile.systemPrompt,
    model: profile.model,
    temperature: profile.temperature,
    max_tokens: profile.maxTokens,
  }
  const configured = Object.values(config).some((value) => value !== undefined)
  return JSON.stringify({
    session_id: turn.sessionId,
    agent_id: caller.agentId,
    org_id: caller.orgId,
    user_message: turn.message,
    // With a history the runtime answers its last message and does not look at `user_message`.
    history_messages: [...history, { role: 'user', content: turn.message }],
    agent_config: configured ? config : undefined,
    metadata: { user_id: caller.userId, message_id: turn.messageId, shadow: turn.shadow },
  })
}
