import { type LlmEndpoint, llmEndpoint } from '../../llm/endpoint.js'
import { endpointHeaders, modelsUrl, REFUSED_STATUSES } from '../../llm/endpoint-request.js'
import { loadEndpoints } from '../../llm/load-endpoints.js'
import type { Environment, Invocation } from '../command/invocation.js'
import { causeText } from '../text/cause-text.js'
import { printable } from '../text/table.js'
import type { Finding } from './finding.js'
import { isListed, listedModels } from './listed-models.js'
import { probeUrl } from './probe-url.js'

/** Asks each endpoint of the direct LLM for its models, as the service does while nobody uses it. */
export async function checkEndpoints(env: Environment, invocation: Invocation): Promise<Finding[]> {
  const { t } = invocation
  const endpoints = endpointsOf(env)
  if (typeof endpoints === 'string')
    return [
      {
        check: t('LLM endpoints', 'LLM 端点'),
        result: 'fault',
        text: endpoints,
        advice: t('See every fault: chat-cutover llm validate', '详见 chat-cutover llm validate'),
      },
    ]
  return Promise.all(endpoints.map((endpoint) => checkEndpoint(endpoint, env, invocation)))
}

/** Or why there are none. Nothing is set: the check of the configuration says so. */
function endpointsOf(env: Environment): readonly LlmEndpoint[] | string {
  if (env.CHAT_LLM_FILE) {
    const loaded = loadEndpoints(env.CHAT_LLM_FILE, env)
    switch (loaded.kind) {
      case 'endpoints':
        return loaded.endpoints
      case 'unreadable':
        return `${env.CHAT_LLM_FILE}: ${loaded.why}`
      case 'faults': {
        const [first] = loaded.faults
        return `${env.CHAT_LLM_FILE}:${first?.line ?? 1}: ${first?.path ?? ''}: ${first?.message ?? ''}`
      }
    }
  }
  if (!env.LLM_BASE_URL || !URL.canParse(env.LLM_BASE_URL)) return []
  const key = env.LLM_API_KEY?.trim()
  const auth = key ? { auth: { kind: 'bearer', key } as const } : {}
  return [llmEndpoint({ baseUrl: env.LLM_BASE_URL, model: env.LLM_MODEL || 'gpt-4o-mini', ...auth })]
}

async function checkEndpoint(
  endpoint: LlmEndpoint,
  env: Environment,
  invocation: Invocation,
): Promise<Finding> {
  const { t, clock } = invocation
  const check = `LLM ${endpoint.name}`
  if (env.HTTPS_PROXY || env.https_proxy || env.HTTP_PROXY || env.http_proxy)
    return {
      check,
      result: 'skipped',
      text: t('asked through a proxy, which this check does not use', '通过代理访问，本检查不使用代理'),
      advice: t(
        'Alert standby_sick tells whether the service reaches it',
        '告警 standby_sick 会说明服务能否访问',
      ),
    }
  const url = new URL(modelsUrl(endpoint))
  const where = `${url.protocol}//${url.host}${url.pathname}`
  const probed = await probeUrl(url.href, {
    headers: endpointHeaders(endpoint),
    interrupted: invocation.interrupted(),
    now: () => clock.wall(),
  })
  if (probed.kind === 'failed')
    return {
      check,
      result: 'fault',
      text: `${where}: ${causeText(probed.why, t)}`,
      advice: t(
        'Correct its address, or look at the network from this host',
        '请修正地址，或检查本机到该地址的网络',
      ),
    }
  if (REFUSED_STATUSES.has(probed.status))
    return {
      check,
      result: 'fault',
      text: printable(`${where}: ${probed.status}`),
      advice: hasKey(endpoint)
        ? t(
            'The key is refused, or the account has no right: give it a good one',
            '密钥被拒绝或账户无权限，请更换',
          )
        : t(
            'The server wants a key and none is sent: set LLM_API_KEY, or apiKeyEnv or apiKeyFile of the endpoint',
            '服务器要求密钥，但未发送：请设置 LLM_API_KEY，或端点的 apiKeyEnv、apiKeyFile',
          ),
    }
  if (probed.status >= 500)
    return {
      check,
      result: 'fault',
      text: `${where}: ${probed.status}`,
      advice: hasKey(endpoint)
        ? t('The server fails; look at its own log', '服务器出错，请查看其日志')
        : t(
            'The server fails; look at its own log. No key is sent, which LiteLLM answers with 500',
            '服务器出错，请查看其日志。未发送密钥，LiteLLM 对此返回 500',
          ),
    }
  const within = `${Math.round(probed.ms)} ms`
  const answers = t(
    `${where} answers ${probed.status} within ${within}`,
    `${where} 返回 ${probed.status}，${within}`,
  )
  return { check, ...judged(probed.status, probed.body, answers, endpoint.model, t) }
}

/** A header of the operator's own may carry it. */
function hasKey({ auth, headers }: LlmEndpoint): boolean {
  return auth.kind !== 'none' || Object.keys(headers).some((name) => /key|token|authorization/i.test(name))
}

type Texts = Invocation['t']

/** What a server that works says of the key, the address and the model: none of it need be a fault. */
function judged(
  status: number,
  body: string,
  answers: string,
  model: string,
  t: Texts,
): Omit<Finding, 'check'> {
  if (status === 400)
    return {
      result: 'warning',
      text: answers,
      advice: t(
        'It refuses the request: look at the key (LiteLLM, xAI and Gemini refuse a wrong one with 400) and at the query',
        '服务器拒绝了该请求：请检查密钥（LiteLLM、xAI、Gemini 对错误的密钥返回 400）和查询参数',
      ),
    }
  if (NO_LIST_STATUSES.has(status))
    return {
      result: 'warning',
      text: answers,
      advice: t(
        'Look whether the base URL is right: it ends before /chat/completions, often with /v1. Nothing is wrong if the server has no list of models (Azure)',
        '请检查基础地址：它在 /chat/completions 之前结束，通常以 /v1 结尾。若服务器没有模型列表（Azure），则无需处理',
      ),
    }
  const models = status === 200 ? listedModels(body) : undefined
  if (models === undefined || isListed(model, models)) return { result: 'ok', text: answers }
  const shown = `${models.slice(0, MOST_SHOWN).join(', ')}${models.length > MOST_SHOWN ? ', …' : ''}`
  return {
    result: 'warning',
    text: printable(
      t(
        `${answers}, but does not list the model ${model}; it lists ${shown}`,
        `${answers}，但列表中没有模型 ${model}，只有 ${shown}`,
      ),
    ),
    advice: t(
      'Correct the model, unless this server takes any name (llama.cpp)',
      '请修正模型名；若该服务器接受任意名称（llama.cpp），则无需处理',
    ),
  }
}

const NO_LIST_STATUSES: ReadonlySet<number> = new Set([404, 405])
/** models of a list that are named */
const MOST_SHOWN = 5
