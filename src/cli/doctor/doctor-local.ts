import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { errorText } from '../../core/errors.js'
import { parsedJson } from '../../core/json/parsed-json.js'
import { shownAddress } from '../../core/net/login-of-url.js'
import { counted } from '../../core/text.js'
import type { Environment, Invocation } from '../command/invocation.js'
import { causeText } from '../text/cause-text.js'
import { printable } from '../text/table.js'
import { checkDatabase, checkRedis } from './doctor-database.js'
import { checkFlagStore } from './doctor-flag-store.js'
import { checkFlagd, checkFlagFiles, checkProviderModule } from './doctor-flags.js'
import { checkEndpoints } from './doctor-llm.js'
import { clockFinding, type Finding } from './finding.js'
import { probeUrl } from './probe-url.js'

/** Where a variable of the service is set, so is the service, most likely: then its surroundings are checked too. */
const SERVICE_VARIABLES = ['JWT_SECRET', 'JWKS_URL', 'LLM_BASE_URL', 'CHAT_LLM_FILE', 'RUNTIME_SERVICE_URL']

export const isServiceHere = (env: Environment): boolean => SERVICE_VARIABLES.some((name) => env[name])

/** Checks of what the service of this environment would need: nothing is changed. @param env with the `.env` file */
export async function checkHere(invocation: Invocation, env: Environment): Promise<Finding[]> {
  const found = await Promise.all([
    checkConfiguration(invocation),
    checkFlagFiles(env, invocation),
    checkFlagStore(env, invocation),
    checkProviderModule(env, invocation),
    checkFlagd(env, invocation),
    checkRuntime(env, invocation),
    checkEndpoints(env, invocation),
    checkDatabase(env, invocation),
    checkRedis(env, invocation),
    checkKeys(env, invocation),
  ])
  return found.flat()
}

/** ms until the process that reads the configuration is given up */
const CONFIG_MS = 15_000

/** By the service itself: it reads the environment, says what is wrong and ends. */
async function checkConfiguration({ t, env, language, interrupted }: Invocation): Promise<Finding> {
  const check = t('configuration', '配置')
  // `dist/main.js`, also when this file runs from its source.
  const script = fileURLToPath(new URL('../../../dist/main.js', import.meta.url))
  const child = spawn(process.execPath, [script, '--check'], {
    // It speaks as its locale says.
    env: { ...env, LC_ALL: language === 'en' ? 'C' : 'zh_CN.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.any([interrupted(), AbortSignal.timeout(CONFIG_MS)]),
    killSignal: 'SIGKILL',
  })
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
  const code = await new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(errorText(error)))
    child.once('close', (ended, signal) => resolve(ended ?? String(signal)))
  })
  if (code === 0 && said.trim() !== '')
    return {
      check,
      result: 'warning',
      text: printable(said.trim()),
      advice: t('Correct the names or remove the variables', '请修正变量名或删除这些变量'),
    }
  if (code === 0) return { check, result: 'ok', text: t('the environment is complete', '环境变量完整') }
  return {
    check,
    result: 'fault',
    text: printable(said.trim() || String(code)),
    advice: t(
      'Correct the variables named above; .env.example explains each of them',
      '请修正上述变量，说明见 .env.example',
    ),
  }
}

async function checkRuntime(env: Environment, { t, interrupted, clock }: Invocation): Promise<Finding[]> {
  const url = `${(env.RUNTIME_SERVICE_URL || 'http://localhost:8000').replace(/\/+$/, '')}/health`
  const probed = await probeUrl(url, { interrupted: interrupted(), now: () => clock.wall() })
  const check = 'runtime'
  const advice = t(
    'Start the runtime, or correct RUNTIME_SERVICE_URL; until then the direct LLM answers',
    '请启动 runtime，或修正 RUNTIME_SERVICE_URL；在此之前由直连 LLM 回答',
  )
  if (probed.kind === 'failed')
    return [{ check, result: 'fault', text: `${shownAddress(url)}: ${causeText(probed.why, t)}`, advice }]
  const isHealthy = probed.status === 200 && statusOf(probed.body) === 'healthy'
  const finding: Finding = isHealthy
    ? {
        check,
        result: 'ok',
        text: t(
          `${shownAddress(url)}: healthy within ${Math.round(probed.ms)} ms`,
          `${shownAddress(url)}：正常，${Math.round(probed.ms)} ms`,
        ),
      }
    : {
        check,
        result: 'fault',
        text: printable(`${shownAddress(url)}: ${probed.status} ${probed.body.slice(0, 200)}`),
        advice,
      }
  return [finding, clockFinding(t('clock of the runtime', 'runtime 时钟'), probed.skewMs, t)]
}

function statusOf(body: string): unknown {
  const parsed = parsedJson(body)
  return typeof parsed === 'object' && parsed !== null && 'status' in parsed ? parsed.status : undefined
}

/** Whether the server of the signing keys answers with a set of keys, where tokens are verified by them. */
export async function checkKeys(env: Environment, { t, interrupted, clock }: Invocation): Promise<Finding[]> {
  const address = env.JWKS_URL?.trim() ?? ''
  // What is no such address is a fault of the configuration.
  if (!URL.canParse(address) || !/^https?:/i.test(address)) return []
  const url = new URL(address)
  const where = `${url.protocol}//${url.host}${url.pathname}`
  const check = t('signing keys', '签名密钥')
  const fault = (text: string): Finding[] => [
    {
      check,
      result: 'fault',
      text,
      advice: t(
        'Repair the key server or the way to it, or correct JWKS_URL; the service does not become ready without keys, unless it kept those of the last day',
        '请修复密钥服务器或到它的网络，或修正 JWKS_URL；没有密钥时服务不会就绪，除非保存有最近一天的密钥',
      ),
    },
  ]
  const probed = await probeUrl(address, { interrupted: interrupted(), now: () => clock.wall() })
  if (probed.kind === 'failed') return fault(`${where}: ${causeText(probed.why, t)}`)
  if (probed.status !== 200)
    return fault(t(`${where}: status ${probed.status}`, `${where}：状态码 ${probed.status}`))
  const keys = keysIn(probed.body)
  if (keys === 0) return fault(t(`${where}: the answer has no keys`, `${where}：返回内容中没有密钥`))
  return [{ check, result: 'ok', text: t(`${where}: ${counted(keys, 'key')}`, `${where}：${keys} 个密钥`) }]
}

/** How many keys a JSON Web Key Set (RFC 7517) has; 0 for what is none. */
function keysIn(body: string): number {
  const parsed = parsedJson(body)
  const keys: unknown =
    typeof parsed === 'object' && parsed !== null && 'keys' in parsed ? parsed.keys : undefined
  return Array.isArray(keys) ? keys.length : 0
}
