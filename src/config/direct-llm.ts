import { type LlmEndpoint, type LlmEndpoints, llmEndpoint } from '../llm/endpoint.js'
import { loadEndpoints } from '../llm/load-endpoints.js'
import { environmentSchema, type Given } from './environment.js'

interface DirectLlm {
  /** absent where there is none, or a wrong one */
  readonly endpoints?: LlmEndpoints
  readonly faults: readonly string[]
}

/** One endpoint from the environment, or those of a file. A fault of a single variable is told elsewhere. */
export function directLlm(given: Given): DirectLlm {
  const file = given.CHAT_LLM_FILE
  if (file !== undefined && given.LLM_BASE_URL !== undefined)
    return { faults: ['LLM_BASE_URL and CHAT_LLM_FILE are both set; the direct LLM comes from one of them'] }
  if (file !== undefined) return endpointsOf(file, given)
  const own = environmentSchema
    .pick({ LLM_BASE_URL: true, LLM_API_KEY: true, LLM_MODEL: true })
    .safeParse(given)
  if (!own.success) return { faults: [] }
  const { LLM_BASE_URL: baseUrl, LLM_API_KEY: key, LLM_MODEL: model } = own.data
  if (baseUrl === undefined) return { faults: ['LLM_BASE_URL is not set'] }
  const auth: Partial<LlmEndpoint> = key === undefined ? {} : { auth: { kind: 'bearer', key } }
  return { endpoints: [llmEndpoint({ baseUrl, model, ...auth })], faults: [] }
}

function endpointsOf(file: string, env: Given): DirectLlm {
  const loaded = loadEndpoints(file, env)
  switch (loaded.kind) {
    case 'endpoints':
      return { endpoints: loaded.endpoints, faults: [] }
    case 'unreadable':
      return { faults: [`CHAT_LLM_FILE=${file} cannot be read: ${loaded.why}`] }
    case 'faults':
      return {
        faults: loaded.faults.map(
          ({ line, path, message }) =>
            `CHAT_LLM_FILE=${file}: line ${line}: ${path === '' ? '' : `${path}: `}${message}`,
        ),
      }
  }
}
