import { parseArgs } from 'node:util'
import { errorText } from '../../core/errors.js'
import {
  type BaselineCell,
  type BaselineRow,
  type BaselineView,
  baselineSchema,
} from '../../protocol/baseline.js'
import { baselineValue } from '../../protocol/baseline-text.js'
import { deadlineSeconds } from '../command/invocation.js'
import { connectionOf } from '../service/connection.js'
import { createServiceClient, DEFAULT_DEADLINE_MS } from '../service/service-client.js'
import { usageText } from '../text/cause-text.js'
import { CommandError } from '../text/command-error.js'
import { type Language, type Say, sayIn } from '../text/language.js'
import { type Output, processOutput } from '../text/output.js'
import { table as tableText } from '../text/table.js'

const HELP = `Tells how both execution modes do beside their targets: mean and P95 latency, error and timeout rate.

Usage: chat-cutover baseline [options]

From the kept executions of the users' turns; those that their users aborted count in nothing.

Options:
  --from <instant>     ISO 8601, e.g. 2026-01-31 or 2026-01-31T08:00:00Z (24 hours before --to)
  --to <instant>       ISO 8601; itself not in the span (now)
  --org <id>           of one org alone
  --json               the service's answer instead of the table
  --url <url>          where the service is (CHAT_URL, the profile, http://127.0.0.1:3001)
  --profile <name>     address and token of this profile (chat-cutover login)
  --timeout <seconds>  that the call may take (30)
  -h, --help           this text

Environment: CHAT_URL where the service is (http://127.0.0.1:3001), CHAT_TOKEN an access token with the role that
CHAT_OPERATOR_ROLE names (admin).

Exit code: 0 told, whether the targets are met or not; 1 the service is not there or refuses; 2 wrong usage.
`

const HELP_ZH = `两种执行模式与目标值对照：平均与 P95 延迟、错误率、超时率。

用法：chat-cutover baseline [选项]

统计自已保存的用户对话执行；由用户中止的不计入。

选项：
  --from <instant>     ISO 8601，例如 2026-01-31 或 2026-01-31T08:00:00Z（默认 --to 之前 24 小时）
  --to <instant>       ISO 8601，不含此刻（默认现在）
  --org <id>           仅此组织
  --json               输出服务的应答，而非表格
  --url <url>          服务地址（CHAT_URL、配置、http://127.0.0.1:3001）
  --profile <name>     使用此配置的地址与令牌（chat-cutover login）
  --timeout <seconds>  调用的时限（30）
  -h, --help           本说明

环境变量：CHAT_URL 服务地址（http://127.0.0.1:3001），CHAT_TOKEN 访问令牌，角色须达到 CHAT_OPERATOR_ROLE（admin）。

退出码（Exit code: 0 / 1 / 2）：0 已输出，无论是否达标；1 服务不可达或拒绝；2 用法错误。
`

/** `chat-cutover baseline`. @returns the exit code */
export async function runBaseline(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
  output: Output = processOutput,
  language: Language = 'en',
): Promise<number> {
  try {
    const t = sayIn(language)
    const { help, json, asked, deadlineMs, query } = parseOptions(argv, t)
    if (help) {
      output.out(language === 'en' ? HELP : HELP_ZH)
      return 0
    }
    const client = createServiceClient(connectionOf(asked, env, t), { language, deadlineMs })
    const { data } = await client.ask({ path: '/runtime/baseline', query }, baselineSchema)
    output.out(json ? `${JSON.stringify(data, null, 2)}\n` : table(data, t))
    return 0
  } catch (thrown) {
    if (!(thrown instanceof CommandError)) throw thrown
    output.err(`${thrown.message}\n`)
    return thrown.exitCode
  }
}

function parseOptions(argv: readonly string[], t: Say) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        from: { type: 'string' },
        to: { type: 'string' },
        org: { type: 'string' },
        url: { type: 'string' },
        profile: { type: 'string' },
        timeout: { type: 'string' },
      },
    })
    const { help, json, from, to, org, url, profile, timeout } = values
    const deadlineMs = timeout === undefined ? DEFAULT_DEADLINE_MS : secondsOf(timeout, t) * 1000
    return { help, json, query: { from, to, orgId: org }, asked: { url, profile }, deadlineMs }
  } catch (thrown) {
    throw new CommandError(
      `${usageText(thrown, t)}\n${t('Try: ', '请参阅：')}chat-cutover baseline --help`,
      2,
    )
  }
}

function secondsOf(text: string, t: Say): number {
  try {
    return deadlineSeconds(t)(text)
  } catch (thrown) {
    throw new Error(`--timeout: ${errorText(thrown)}`)
  }
}

function table({ from, to, orgId, samples, rows, sentences }: BaselineView, t: Say): string {
  const lines = [
    ['', t('target', '目标'), t('direct LLM', '直连 LLM'), '', 'runtime', ''],
    [t('Executions', '执行次数'), '', String(samples.direct), '', String(samples.runtime), ''],
    ...rows.map((row) => [
      row.name,
      row.targetText,
      ...cellTexts(row, row.direct, t),
      ...cellTexts(row, row.runtime, t),
    ]),
  ]
  const whose = orgId === null ? t('all orgs', '全部组织') : t(`org ${orgId}`, `组织 ${orgId}`)
  return `${t(`${from} to ${to}, ${whose}`, `${from} 至 ${to}，${whose}`)}\n\n${tableText(lines)}\n${sentences.direct}\n${sentences.runtime}\n`
}

function cellTexts(
  { metric }: BaselineRow,
  { value, met }: BaselineCell,
  t: Say,
): [value: string, verdict: string] {
  if (value === null) return ['-', '']
  return [baselineValue(metric, value), met ? t('met', '达标') : t('MISSED', '未达标')]
}
