import type { Bilingual } from '../core/bilingual.js'
import { type LlmEndpoint, type LlmEndpoints, llmEndpoint } from '../llm/endpoint.js'
import { loadEndpoints } from '../llm/load-endpoints.js'
import { environmentSchema, type Given } from './environment.js'

interface DirectLlm {
  /** absent where there is none, or a wrong one */
  readonly endpoints?: LlmEndpoints
  readonly faults: readonly Bilingual[]
}

/** One endpoint from the environment, or those of a file. A fault of a single variable is told elsewhere. */
export function directLlm(given: Given): DirectLlm {
  const file = given.CHAT_LLM_FILE
  if (file !== undefined && given.LLM_BASE_URL !== undefined)
    return {
      faults: [
        {
          en: 'LLM_BASE_URL and CHAT_LLM_FILE are both set; the direct LLM comes from one of them',
          'zh-CN': '同时设置了 LLM_BASE_URL 与 CHAT_LLM_FILE；直连 LLM 只能来自其中之一',
        },
      ],
    }
  if (file !== undefined) return endpointsOf(file, given)
  const own = environmentSchema
    .pick({ LLM_BASE_URL: true, LLM_API_KEY: true, LLM_MODEL: true })
    .safeParse(given)
  if (!own.success) return { faults: [] }
  const { LLM_BASE_URL: baseUrl, LLM_API_KEY: key, LLM_MODEL: model } = own.data
  if (baseUrl === undefined)
    return { faults: [{ en: 'LLM_BASE_URL is not set', 'zh-CN': 'LLM_BASE_URL 未设置' }] }
  const auth: Partial<LlmEndpoint> = key === undefined ? {} : { auth: { kind: 'bearer', key } }
  return { endpoints: [llmEndpoint({ baseUrl, model, ...auth })], faults: [] }
}

function endpointsOf(file: string, env: Given): DirectLlm {
  const loaded = loadEndpoints(file, env)
  switch (loaded.kind) {
    case 'endpoints':
      return { endpoints: loaded.endpoints, faults: [] }
    case 'unreadable':
      return {
        faults: [
          {
            en: `CHAT_LLM_FILE=${file} cannot be read: ${loaded.why}`,
            'zh-CN': `CHAT_LLM_FILE=${file} 无法读取：${loaded.why}`,
          },
        ],
      }
    case 'faults':
      return {
        faults: loaded.faults.map(({ line, path, message, zh }) => {
          const place = path === '' ? '' : `${path}: `
          return {
            en: `CHAT_LLM_FILE=${file}: line ${line}: ${place}${message}`,
            'zh-CN': `CHAT_LLM_FILE=${file}：第 ${line} 行：${place}${zh}`,
          }
        }),
      }
  }
}
