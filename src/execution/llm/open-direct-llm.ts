import type { LlmEndpoints } from '../../llm/endpoint.js'
import type { RefusedParameters } from '../../llm/refused-parameters.js'
import { createDirectLlm } from './direct-llm.js'
import type { RoutedLlmDeps } from './routed-execution.js'
import { createRoutedLlm, type RoutedLlm } from './routed-llm.js'

/** The direct LLM as the environment describes it: its endpoints, each with connections of its own. */
export function openDirectLlm(
  endpoints: LlmEndpoints,
  deps: RoutedLlmDeps & { readonly refused: RefusedParameters },
): RoutedLlm {
  const backends = endpoints.map((endpoint) => [endpoint.name, createDirectLlm(endpoint, deps)] as const)
  return createRoutedLlm(new Map(backends), deps)
}
