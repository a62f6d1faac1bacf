import {
  PAIR_SORTS,
  pairSortSchema,
  SHADOW_PAIRS_MAX,
  type ShadowPair,
  shadowPairsSchema,
} from '../../protocol/shadow-pairs.js'
import { type CommandSpec, wholeNumber } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'
import { duration, modeName, moment } from '../text/format.js'
import { oneLine, table } from '../text/table.js'
import { controlOf, defineSpan, spanQuery } from './shadow-report.js'

export const shadowPairsCommand: CommandSpec = {
  define: (command, t) =>
    void defineSpan(command, t)
      .option(
        '--sort <order>',
        t(`${PAIR_SORTS.join(', ')} (difference)`, `${PAIR_SORTS.join('、')}（difference）`),
      )
      .option('--limit <n>', t('how many pairs (20)', '条数（20）'), wholeNumber(1, SHADOW_PAIRS_MAX, t)),
  examples: ['shadow pairs', 'shadow pairs --org acme --sort newest --limit 5'],
  remote: true,
  async run(invocation) {
    const { given, t, style } = invocation
    const sort = given.text('sort')
    if (sort !== undefined && !pairSortSchema.safeParse(sort).success)
      throw new CommandError(
        t(
          `There is no order "${sort}". Orders: ${PAIR_SORTS.join(', ')}`,
          `没有排序方式 "${sort}"。可用：${PAIR_SORTS.join(', ')}`,
        ),
        2,
      )
    const query = {
      ...spanQuery(given, controlOf(invocation)),
      sort,
      limit: given.number('limit')?.toString(),
    }
    const { data } = await invocation
      .client()
      .ask({ path: '/runtime/shadow/pairs', query }, shadowPairsSchema)
    if (invocation.json) {
      invocation.printJson(data)
      return 0
    }
    if (data.pairs.length === 0) {
      invocation.print(`${t('No pairs in this span.', '该时段内没有配对。')}\n`)
      return 0
    }
    const head = [
      t('difference', '差异'),
      t('turn', '轮次'),
      t('organisation', '组织'),
      t('agent', '智能体'),
      t('session', '会话'),
      t('message', '消息'),
      t('control', '对照'),
      t('candidate', '候选'),
    ]
    const side = ({ mode, result, code, latencyMs }: ShadowPair['control']): string =>
      `${modeName(mode, t)} ${oneLine(code ?? result)} ${duration(latencyMs)}`
    const rows = data.pairs.map((pair) => [
      pair.difference.toFixed(2),
      moment(pair.at),
      oneLine(pair.orgId),
      oneLine(pair.agentId),
      oneLine(pair.sessionId ?? '-'),
      oneLine(pair.messageId ?? '-'),
      side(pair.control),
      side(pair.candidate),
    ])
    invocation.print(table([head.map(style.dim), ...rows]))
    return 0
  },
}
