import { parsedJson } from '../../core/json/parsed-json.js'
import { shownAddress } from '../../core/net/login-of-url.js'
import { errorBodySchema } from '../../protocol/api.js'
import { fallbackStatusSchema } from '../../protocol/fallback.js'
import { flagsViewSchema } from '../../protocol/flag-edit.js'
import type { Invocation } from '../command/invocation.js'
import { urlOf } from '../service/connection.js'
import type { ServiceClient } from '../service/service-client.js'
import { causeText } from '../text/cause-text.js'
import { CommandError, Refused } from '../text/command-error.js'
import { printable } from '../text/table.js'
import { clockFinding, type Finding } from './finding.js'
import { probeUrl } from './probe-url.js'

/** Checks of the running service, as far as the address and the token go. */
export async function checkService(invocation: Invocation): Promise<Finding[]> {
  const { given, env, t, clock } = invocation
  const { url, urlFrom } = urlOf({ url: given.text('url'), profile: given.text('profile') }, env, t)
  const probe = { interrupted: invocation.interrupted(), now: () => clock.wall() }
  const shown = shownAddress(url)
  const live = await probeUrl(`${url}/health/live`, probe)
  const service = t('service', '服务')
  if (live.kind === 'failed')
    return [
      {
        check: service,
        result: 'fault',
        text: `${shown}: ${causeText(live.why, t)}`,
        advice: t(
          `Start it, or correct the address (from ${urlFrom})`,
          `请启动服务，或修正地址（取自 ${urlFrom}）`,
        ),
      },
    ]
  if (live.status !== 200)
    return [
      {
        check: service,
        result: 'fault',
        text: t(
          `${shown} answers ${live.status} to /health/live`,
          `${shown} 对 /health/live 返回 ${live.status}`,
        ),
        advice: t(
          'Is it chat-cutover? Look at the address and at proxies between',
          '请确认该地址是 chat-cutover，并检查中间的代理',
        ),
      },
    ]
  const inLanguage = { headers: { 'Accept-Language': invocation.language } }
  const ready = await probeUrl(`${url}/health/ready`, { ...probe, ...inLanguage })
  return [
    {
      check: service,
      result: 'ok',
      text: t(
        `${shown} answers within ${Math.round(live.ms)} ms`,
        `${shown} 在 ${Math.round(live.ms)} ms 内应答`,
      ),
    },
    ready.kind === 'answer' && ready.status === 200
      ? { check: t('ready', '就绪'), result: 'ok', text: t('takes new turns', '可接受新对话') }
      : {
          check: t('ready', '就绪'),
          result: 'fault',
          text: printable(ready.kind === 'failed' ? ready.why : `${ready.status} ${wordsOf(ready.body)}`),
          advice: t(
            'It starts, stops or is overloaded; what a start misses is named here and in the log line "not ready yet"',
            '正在启动、停止或过载；启动时缺少什么，见此处与日志 "not ready yet"',
          ),
        },
    clockFinding(t('clock of the service', '服务时钟'), live.skewMs, t),
    ...(await checkAsOperator(invocation)),
  ]
}

/** Code, message and details of an error of the service; any other body as it is. */
function wordsOf(body: string): string {
  const parsed = errorBodySchema.safeParse(parsedJson(body))
  if (!parsed.success) return body
  const { code, message, details = [] } = parsed.data.error
  return [`${code}: ${message}`, ...details].join('; ')
}

async function checkAsOperator(invocation: Invocation): Promise<Finding[]> {
  const { t } = invocation
  const check = t('token', '令牌')
  try {
    const client = invocation.client()
    const { data: status } = await client.ask({ path: '/runtime/fallback/status' }, fallbackStatusSchema)
    return [
      {
        check,
        result: 'ok',
        text: t(
          `an operator's, from ${client.connection.tokenFrom}`,
          `运维令牌，取自 ${client.connection.tokenFrom}`,
        ),
      },
      ...(await checkFlags(client, invocation)),
      fallbackFinding(status.fallbackEnabled, status.fallbackReason, invocation),
      runtimeFinding(status.probe, invocation),
      ...status.alerts.map(
        (alert): Finding => ({
          check: t('alert', '告警'),
          result: 'warning',
          text: printable(alert),
          advice: t('The runbook has a section for it', '处理方法见 runbook 对应章节'),
        }),
      ),
    ]
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    const isMissing = !(thrown instanceof Refused) && thrown.exitCode === 2
    const [text = '', ...rest] = thrown.message.split(/\n\s*/)
    const advice = rest.length === 0 ? {} : { advice: rest.join(' ') }
    return [{ check, result: isMissing ? 'skipped' : 'fault', text, ...advice }]
  }
}

async function checkFlags(client: ServiceClient, { t }: Invocation): Promise<Finding[]> {
  const { data } = await client.ask({ path: '/runtime/flags' }, flagsViewSchema)
  const check = t('flags in force', '生效的 flag')
  const faults = data.faults.map(
    ({ where, line, message }): Finding => ({
      check,
      result: 'warning',
      text: printable(`${where}${line === undefined ? '' : `:${line}`}: ${message}`),
      advice: t(
        'Mend the file; what was good last stays in force until then',
        '请修正文件；在此之前沿用上次有效的取值',
      ),
    }),
  )
  const state = t(`${data.state}, by ${data.resolver}`, `${data.state}，来源 ${data.resolver}`)
  if (data.state === 'ready') return [{ check, result: 'ok', text: state }, ...faults]
  const advice = t(
    'Is flagd there, and the file readable? The last good values stay in force',
    '请检查 flagd 与文件；目前沿用上次有效的取值',
  )
  return [{ check, result: 'warning', text: state, advice }, ...faults]
}

function fallbackFinding(isOn: boolean, reason: string, { t }: Invocation): Finding {
  const check = t('fallback', '回退')
  if (!isOn) return { check, result: 'ok', text: t('none', '无') }
  return {
    check,
    result: 'warning',
    text: printable(reason),
    advice: t(
      'chat-cutover status tells more; it ends by itself, or by chat-cutover fallback reset',
      '详见 chat-cutover status；会自动结束，或执行 chat-cutover fallback reset',
    ),
  }
}

function runtimeFinding(
  { healthy, failures }: { healthy: boolean | null; failures: number },
  { t }: Invocation,
): Finding {
  const check = t('runtime, as the service sees it', '服务所见的 runtime')
  if (healthy === null) return { check, result: 'skipped', text: t('not probed yet', '尚未检查') }
  if (healthy) return { check, result: 'ok', text: t('healthy', '正常') }
  return {
    check,
    result: 'warning',
    text: t(`${failures} failed probes in a row`, `连续 ${failures} 次检查失败`),
    advice: t(
      'Look at RUNTIME_SERVICE_URL/health from the host of the service',
      '请在服务所在主机访问 RUNTIME_SERVICE_URL/health',
    ),
  }
}
