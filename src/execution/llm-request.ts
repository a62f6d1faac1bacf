import type { Turn } from './backend.js'

/** The address of chat completions under a base URL, whose query (Azure's `api-version`) is kept. */
export function completionsUrl(baseUrl: string): string {
  const url = new URL(baseUrl)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/chat/completions`
  return url.href
}

/** The body of `POST /chat/completions`, as JSON text. The profile's model wins over the configured one. */
export function llmRequestBody(turn: Turn, model: string): string {
  const { profile } = turn
  const system = profile.systemPrompt === undefined ? [] : [{ role: 'system', content: profile.systemPrompt }]
  return JSON.stringify({
    model: profile.model ?? model,
    messages: [...system, ...turn.history, { role: 'user', content: turn.message }],
    temperature: profile.temperature,
    max_tokens: profile.maxTokens,
    stream: true,
    stream_options: { include_usage: true },
  })
}
