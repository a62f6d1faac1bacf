import { z } from 'zod'
import type { Bilingual } from '../core/bilingual.js'

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
export function routeFault({ endpoints }: LlmRoute, known: readonly string[]): Bilingual | undefined {
  const unknown = endpoints.filter((name) => !known.includes(name))
  if (unknown.length === 0) return undefined
  const [names, all] = [unknown.join(', '), known.join(', ')]
  const none = unknown.length === endpoints.length
  return {
    en: `no endpoint has these names: ${names}; ${none ? 'all endpoints are used instead' : 'they are skipped'} (there are: ${all})`,
    'zh-CN': `没有以下名称的端点：${names}；${none ? '将使用全部端点' : '这些名称会被跳过'}（现有：${all}）`,
  }
}
