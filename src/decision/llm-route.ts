import { z } from 'zod'

/** Value of flag `chat-llm-route`: names of endpoints, in the order they are asked. */
export const llmRouteSchema = z.object({
  endpoints: z.array(z.string().min(1).max(200)).min(1).max(100),
})

/** No endpoint named: all, in the order of the environment. */
export interface LlmRoute {
  readonly endpoints: readonly string[]
}

export const ALL_ENDPOINTS: LlmRoute = { endpoints: [] }

/** What is wrong with the names of a route; undefined for nothing. */
export function routeFault({ endpoints }: LlmRoute, known: readonly string[]): string | undefined {
  const unknown = endpoints.filter((name) => !known.includes(name))
  if (unknown.length === 0) return undefined
  const rest = unknown.length === endpoints.length ? 'all endpoints are used instead' : 'they are skipped'
  return `no endpoint has these names: ${unknown.join(', ')}; ${rest} (there are: ${known.join(', ')})`
}
