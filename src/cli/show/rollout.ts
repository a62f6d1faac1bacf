import { InvalidArgumentError } from 'commander'
import { counted } from '../../core/text.js'
import {
  type RolloutEntry,
  type RolloutRequest,
  type RolloutView,
  rolloutEntrySchema,
  rolloutViewSchema,
} from '../../protocol/rollout.js'
import { breachText, STAGE_VERDICT_NAMES } from '../../protocol/rollout-text.js'
import { type CommandSpec, collected, type Invocation } from '../command/invocation.js'
import type { ServiceClient } from '../service/service-client.js'
import { Refused } from '../text/command-error.js'
import { duration, moment, span } from '../text/format.js'
import type { Say } from '../text/language.js'
import { oneLine, printable, table } from '../text/table.js'
import { historyPageCommand } from './history-page.js'

const PATH = '/runtime/rollout'

const stagesOf =
  (t: Say) =>
  (word: string): number[] => {
    const stages = word.split(',').map((part) => Number(part.trim().replace(/%$/, '')))
    const isRising = stages.every(
      (stage, at) => Number.isInteger(stage) && stage >= 1 && stage <= 100 && stage > (stages[at - 1] ?? 0),
    )
    if (isRising) return stages
    throw new InvalidArgumentError(
      t(
        `It must be rising whole percentages from 1 to 100, such as 1,5,25,100, not ${word}`,
        `必须是 1 到 100 之间递增的整数百分比，如 1,5,25,100，而不是 ${word}`,
      ),
    )
  }

const minutesOf =
  (t: Say) =>
  (word: string): number => {
    const minutes = Number(word)
    if (word.trim() !== '' && minutes > 0 && minutes <= 10_080) return minutes
    throw new InvalidArgumentError(
      t(
        `It must be minutes above 0, at most 10080, not ${word}`,
        `必须是大于 0、不超过 10080 的分钟数，而不是 ${word}`,
      ),
    )
  }

const REASON = {
  flags: '--reason <text>',
  en: 'why, for the history and those who are told',
  'zh-CN': '原因，写入历史与通知',
} as const

export const rolloutStartCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option('--stages <percents>', t('as 1,5,25,100 (the default)', '如 1,5,25,100（默认）'), stagesOf(t))
      .option('--every <minutes>', t('least time of a stage (30)', '每阶段至少多少分钟（30）'), minutesOf(t))
      .option('--org <id>', t('only for this org; may be repeated', '仅此组织，可重复'), collected)
      .option('--agent <id>', t('only for this agent; may be repeated', '仅此智能体，可重复'), collected)
      .option(REASON.flags, t(REASON.en, REASON['zh-CN'])),
  examples: [
    'rollout start',
    'rollout start --stages 5,25,100 --every 10',
    'rollout start --org acme --reason "pilot"',
  ],
  remote: true,
  async run(invocation) {
    const { given } = invocation
    const stages = given.list('stages').map(Number)
    const orgIds = [...given.list('org')]
    const agentIds = [...given.list('agent')]
    const reason = given.text('reason')
    const body: RolloutRequest = {
      stages: stages.length === 0 ? [1, 5, 25, 100] : stages,
      everyMinutes: given.number('every') ?? 30,
      ...(orgIds.length === 0 ? {} : { orgIds }),
      ...(agentIds.length === 0 ? {} : { agentIds }),
      ...(reason === undefined ? {} : { reason }),
    }
    const { data } = await invocation.client().ask({ method: 'POST', path: PATH, body }, rolloutViewSchema)
    return told(data, invocation)
  },
}

export const rolloutStatusCommand: CommandSpec = {
  examples: ['rollout status', "rollout status --json | jq '.percent'"],
  remote: true,
  async run(invocation) {
    return told((await invocation.client().ask({ path: PATH }, rolloutViewSchema)).data, invocation)
  },
}

const steered = (word: 'pause' | 'resume' | 'abort', example: string): CommandSpec => ({
  define: (command, t) => void command.option(REASON.flags, t(REASON.en, REASON['zh-CN'])),
  examples: [`rollout ${word}`, example],
  remote: true,
  async run(invocation) {
    const reason = invocation.given.text('reason')
    const body = reason === undefined ? {} : { reason }
    const call = { method: 'POST', path: `${PATH}/${word}`, body } as const
    return told((await invocation.client().ask(call, rolloutViewSchema)).data, invocation)
  },
})

export const rolloutPauseCommand = steered('pause', 'rollout pause --reason "weekend"')
export const rolloutResumeCommand = steered('resume', 'rollout resume --json')
export const rolloutAbortCommand = steered('abort', 'rollout abort --reason "users complain"')

export const rolloutHistoryCommand = historyPageCommand({
  examples: ['rollout history', 'rollout history --limit 100 --json'],
  path: `${PATH}/history`,
  entry: rolloutEntrySchema,
  text: historyTable,
})

/** Nothing where the service is older than the rollout. */
export async function rolloutOf(client: ServiceClient): Promise<RolloutView | undefined> {
  try {
    return (await client.ask({ path: PATH }, rolloutViewSchema)).data
  } catch (thrown) {
    if (thrown instanceof Refused && thrown.status === 404) return undefined
    throw thrown
  }
}

/** The rollout as one line, for `status` and `watch`; nothing where there never was one. */
export function rolloutLine(
  view: RolloutView | undefined,
  { t, style }: Pick<Invocation, 't' | 'style'>,
): string[][] {
  if (view === undefined || view.state === 'none') return []
  const text = printable(view.summary)
  const isBad = view.end === 'stopped' || view.alerts.length > 0
  return [
    [
      t('Rollout', '放量'),
      isBad ? style.bad(text) : view.failedPercent === null ? text : style.warning(text),
    ],
  ]
}

function told(view: RolloutView, invocation: Invocation): 0 {
  if (invocation.json) invocation.printJson(view)
  else invocation.print(table(rolloutLines(view, invocation)))
  return 0
}

function rolloutLines(view: RolloutView, { t, style, language }: Invocation): string[][] {
  const { plan, evidence, verdict, secondsLeft } = view
  const rows = [[t('Rollout', '放量'), style.bold(printable(view.summary))]]
  if (plan !== null) {
    const stages = plan.stages.map((stage) => `${stage}%`).join(' → ')
    rows.push([
      t('Plan', '计划'),
      t(`${stages}, ${plan.everyMinutes} min each`, `${stages}，每阶段 ${plan.everyMinutes} 分钟`),
    ])
    if (plan.orgIds !== null) rows.push([t('Only orgs', '仅组织'), printable(plan.orgIds.join(', '))])
    if (plan.agentIds !== null) rows.push([t('Only agents', '仅智能体'), printable(plan.agentIds.join(', '))])
  }
  if (view.since !== null) rows.push([t('Since', '开始于'), moment(view.since)])
  if (secondsLeft !== null && secondsLeft > 0)
    rows.push([t('Time left', '剩余时间'), span(secondsLeft * 1000)])
  if (verdict !== null)
    rows.push([
      t('Verdict', '判定'),
      t(
        `${STAGE_VERDICT_NAMES[verdict].en}: ${counted(evidence.total, 'execution')}, ${counted(evidence.errors, 'error')}, ${counted(evidence.timeouts, 'timeout')}, mean ${duration(evidence.avgLatencyMs)}`,
        `${STAGE_VERDICT_NAMES[verdict]['zh-CN']}：执行 ${evidence.total} 次，错误 ${evidence.errors}，超时 ${evidence.timeouts}，平均 ${duration(evidence.avgLatencyMs)}`,
      ),
    ])
  const breach = breachText(view, language)
  if (breach !== '' && view.state !== 'ended')
    rows.push([
      t('Last breach', '最近异常'),
      style.warning(
        t(
          `at ${view.failedPercent}%: ${breach}; one more stops it`,
          `${view.failedPercent}% 时：${breach}；再次异常将停止`,
        ),
      ),
    ])
  if (view.next !== null) rows.push([t('Next', '下一步'), style.good(view.next)])
  if (!view.persisted) rows.push([t('Flag', '标志'), style.warning(t('not yet stored', '尚未写入'))])
  if (view.state === 'running')
    rows.push([
      t('Leader', '主导副本'),
      view.lease.holder === null ? t('nobody', '无') : printable(view.lease.holder),
    ])
  for (const alert of view.alerts) rows.push([style.bad(t('Alert', '告警')), printable(alert)])
  return rows
}

function historyTable(entries: readonly RolloutEntry[], { t, style }: Invocation): string {
  const head = [
    'id',
    t('when', '时间'),
    t('kind', '类型'),
    t('share', '比例'),
    t('who', '操作者'),
    t('why', '原因'),
  ]
  const rows = entries.map(({ id, at, kind, fromPercent, toPercent, actor, userId, replica, reason }) => [
    String(id),
    moment(at),
    kind,
    fromPercent === toPercent ? `${toPercent}%` : `${fromPercent}% → ${toPercent}%`,
    oneLine(userId ?? (actor === 'auto' ? replica : actor)),
    oneLine(reason),
  ])
  return table([head.map(style.dim), ...rows])
}
