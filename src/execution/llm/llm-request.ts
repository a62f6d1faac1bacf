import type { LlmEndpoint } from '../../llm/endpoint.js'
import type { HistoryMessage, Turn } from '../backend.js'

export type LlmBody = Readonly<Record<string, unknown>>

/**
 * The body of `POST /chat/completions`. The profile's model wins over the endpoint's; what the client asked for is added, and a
 * field of the endpoint's `body` wins over all of it, so that the operator has the last word on each server.
 */
export function llmRequestBody(
  turn: Turn,
  endpoint: LlmEndpoint,
  history: readonly HistoryMessage[] = turn.history,
): LlmBody {
  const { profile } = turn
  const system = profile.systemPrompt === undefined ? [] : [{ role: 'system', content: profile.systemPrompt }]
  const ours = {
    ...turn.parameters,
    model: modelOf(turn, endpoint),
    messages: [...system, ...history, { role: 'user', content: turn.message }],
    temperature: profile.temperature,
    max_tokens: profile.maxTokens,
    stream: true,
    stream_options: { include_usage: true },
  }
  const sent = Object.entries(ours).filter(
    ([name, value]) => value !== undefined && !endpoint.omit.includes(name),
  )
  return {
    ...Object.fromEntries(sent.map(([name, value]) => [wireName(endpoint, name), value])),
    ...endpoint.body,
  }
}

export function modelOf({ profile }: Turn, endpoint: LlmEndpoint): string {
  return profile.model ?? endpoint.model
}

/** The name of one of our parameters at this endpoint. */
export function wireName({ rename }: LlmEndpoint, name: string): string {
  return rename[name] ?? name
}

/** Characters of history that fit beside what has to be sent; undefined where the endpoint sets no limit. */
export function roomForHistory(
  { message, profile }: Turn,
  { contextCharacters }: LlmEndpoint,
): number | undefined {
  if (contextCharacters === undefined) return undefined
  return Math.max(0, contextCharacters - message.length - (profile.systemPrompt?.length ?? 0))
}
