import {
  type FallbackStatus,
  fallbackStatusSchema,
  type TransitionView,
  type TriggerRequest,
  transitionSchema,
} from '../../protocol/fallback.js'
import { type CommandSpec, collected, type Invocation, wholeNumber } from '../command/invocation.js'
import { moment } from '../text/format.js'
import { oneLine, table } from '../text/table.js'
import { historyPageCommand } from './history-page.js'
import { fallbackLines } from './status-lines.js'

const MAX_TTL_SECONDS = 30 * 86_400

export const triggerCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option('--reason <text>', t('why, for the history and those who are told', '原因，写入历史与通知'))
      .option(
        '--ttl <seconds>',
        t('ends by itself after this time (without it: at a reset)', '到时自动结束（默认直到重置）'),
        wholeNumber(1, MAX_TTL_SECONDS, t),
      )
      .option('--org <id>', t('this org alone; may be repeated', '仅此组织，可重复'), collected),
  examples: [
    'fallback trigger --reason "the runtime is being moved"',
    'fallback trigger --org acme --org globex --ttl 600',
  ],
  remote: true,
  async run(invocation) {
    const { given } = invocation
    const orgIds = [...given.list('org')]
    const reason = given.text('reason')
    const ttlSeconds = given.number('ttl')
    const body: TriggerRequest = {
      ...(reason === undefined ? {} : { reason }),
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
      ...(orgIds.length === 0 ? {} : { orgIds }),
    }
    const call = { method: 'POST', path: '/runtime/fallback/trigger', body } as const
    const { data } = await invocation.client().ask(call, fallbackStatusSchema)
    return told(data, invocation)
  },
}

export const resetCommand: CommandSpec = {
  examples: ['fallback reset'],
  remote: true,
  async run(invocation) {
    const call = { method: 'POST', path: '/runtime/fallback/reset' } as const
    const { data } = await invocation.client().ask(call, fallbackStatusSchema)
    return told(data, invocation)
  },
}

export const historyCommand = historyPageCommand({
  examples: ['fallback history', "fallback history --json | jq '.[0].evidence'"],
  path: '/runtime/fallback/history',
  entry: transitionSchema,
  text: historyTable,
})

function told(status: FallbackStatus, invocation: Invocation): 0 {
  if (invocation.json) invocation.printJson(status)
  else invocation.print(table(fallbackLines(status, invocation)))
  return 0
}

function historyTable(entries: readonly TransitionView[], { t, style }: Invocation): string {
  const head = [
    'id',
    t('when', '时间'),
    t('kind', '类型'),
    t('state', '状态'),
    t('who', '操作者'),
    t('why', '原因'),
  ]
  const rows = entries.map(({ id, at, kind, from, to, actor, userId, replica, reason }) => [
    String(id),
    moment(at),
    kind,
    from === to ? to : `${from} → ${to}`,
    oneLine(userId ?? (actor === 'auto' ? replica : actor)),
    oneLine(reason),
  ])
  return table([head.map(style.dim), ...rows])
}
