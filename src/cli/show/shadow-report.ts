import type { Command } from 'commander'
import { shadowDropsText } from '../../protocol/execution-results.js'
import { EXECUTION_MODES, executionModeSchema } from '../../protocol/modes.js'
import { type ShadowDimensionReport, shadowReportSchema } from '../../protocol/shadow-report.js'
import type { CommandSpec, Given, Invocation } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'
import { duration, modeName, moment, percent } from '../text/format.js'
import type { Say } from '../text/language.js'
import { oneLine, printable, table } from '../text/table.js'

/** The options of all commands about shadows: span, org, agent, control. */
export const defineSpan = (command: Command, t: Say): Command =>
  command
    .option('--from <instant>', t('ISO 8601 (7 days before --to)', 'ISO 8601（默认 --to 之前 7 天）'))
    .option('--to <instant>', t('ISO 8601; itself not in the span (now)', 'ISO 8601，不含此刻（默认现在）'))
    .option('--org <id>', t('of this org alone', '仅此组织'))
    .option('--agent <id>', t('of this agent alone', '仅此智能体'))
    .option(
      '--control <mode>',
      t(`what users got: ${EXECUTION_MODES.join(', ')}`, `用户实际得到的一方：${EXECUTION_MODES.join('、')}`),
    )

/** @throws CommandError where there is no such mode */
export function controlOf({ given, t }: Pick<Invocation, 'given' | 't'>): string | undefined {
  const control = given.text('control')
  if (control === undefined || executionModeSchema.safeParse(control).success) return control
  throw new CommandError(
    t(
      `There is no mode "${control}". Modes: ${EXECUTION_MODES.join(', ')}`,
      `没有模式 "${control}"。可用：${EXECUTION_MODES.join(', ')}`,
    ),
    2,
  )
}

export const spanQuery = (given: Given, control: string | undefined) => ({
  from: given.text('from'),
  to: given.text('to'),
  orgId: given.text('org'),
  agentId: given.text('agent'),
  control,
})

export const shadowReportCommand: CommandSpec = {
  define: (command, t) => void defineSpan(command, t),
  examples: [
    'shadow report',
    'shadow report --from 2026-01-31 --org acme',
    "shadow report --json | jq -r '.sentence.en'",
  ],
  remote: true,
  async run(invocation) {
    const { given, t } = invocation
    const query = spanQuery(given, controlOf(invocation))
    const { data } = await invocation
      .client()
      .ask({ path: '/runtime/shadow/report', query }, shadowReportSchema)
    if (invocation.json) {
      invocation.printJson(data)
      return 0
    }
    const { style, language } = invocation
    const sides = `${modeName(data.control, t)} → ${modeName(data.candidate, t)}`
    invocation.print(
      `${style.bold(sides)}  ${moment(data.from)} – ${moment(data.to)}  ${t(`${data.pairs.ab} pairs`, `${data.pairs.ab} 对`)}\n\n`,
    )
    invocation.print(`${printable(data.sentence[language])}\n\n`)
    const head = ['', t('control', '对照'), t('candidate', '候选'), t('verdict', '结论')]
    const rows = data.dimensions.map((dimension) => [
      dimension.dimension,
      valueText(dimension, dimension.control),
      valueText(dimension, dimension.candidate),
      verdictText(dimension, invocation),
    ])
    invocation.print(table([head.map(style.dim), ...rows]))
    const why = oneLine(shadowDropsText(data.shadows.dropped, language))
    invocation.print(
      `\n${t(
        `Failed candidates: ${data.shadows.failed}; dropped: ${why}; fence violations: ${data.fenceViolations}`,
        `失败的候选：${data.shadows.failed}；丢弃：${why}；越界调用：${data.fenceViolations}`,
      )}\n`,
    )
    if (data.pairs.ab + data.pairs.aa === 0)
      invocation.print(
        t(
          'No shadow ran in this span. Let a share of the sessions run on both backends: chat-cutover shadow set 10\n',
          '此时间段内没有影子执行。要让一部分会话同时在两个后端执行：chat-cutover shadow set 10\n',
        ),
      )
    return 0
  },
}

function valueText({ unit }: ShadowDimensionReport, value: number | null): string {
  if (value === null) return '-'
  switch (unit) {
    case 'share':
      return percent(value)
    case 'ms':
      return duration(value)
    case 'similarity':
      return value.toFixed(2)
    case 'characters':
    case 'tokens':
      return value.toFixed(0)
  }
}

function verdictText({ verdict }: ShadowDimensionReport, { style, t }: Invocation): string {
  switch (verdict) {
    case 'better':
      return style.good(t('better', '更好'))
    case 'same':
      return style.good(t('same', '相同'))
    case 'worse':
      return style.bad(t('worse', '更差'))
    case 'insufficient_data':
      return style.dim(t('not enough data', '数据不足'))
  }
}
