import { flagsViewSchema } from '../../protocol/flag-edit.js'
import { type FlagEditEntry, flagEditEntrySchema, type KeptChange } from '../../protocol/flag-edit-record.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { changeLines } from '../edit/edit-flags.js'
import { moment } from '../text/format.js'
import { oneLine, table } from '../text/table.js'
import { historyPageCommand } from './history-page.js'
import { flagLines } from './status.js'

export const flagsShowCommand: CommandSpec = {
  examples: ['flags show', "flags show --json | jq '.ops.values'"],
  exits: {
    en: 'Exit code: 0 no faults; 1 faults, or the service is not there or refuses; 2 wrong usage; 130 ended by Ctrl-C.',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 无问题；1 有问题，或服务不可达、拒绝；2 用法错误；130 被 Ctrl-C 中断。',
  },
  remote: true,
  async run(invocation) {
    const { data } = await invocation.client().ask({ path: '/runtime/flags' }, flagsViewSchema)
    if (invocation.json) invocation.printJson(data)
    else
      invocation.print(
        table(
          flagLines(data, invocation).map(([name = '', text = '']) => [invocation.style.bold(name), text]),
        ),
      )
    return data.faults.length === 0 && data.ops.fault === null ? 0 : 1
  },
}

export const flagsHistoryCommand = historyPageCommand({
  examples: ['flags history', 'flags history --limit 5 --json'],
  path: '/runtime/flags/history',
  entry: flagEditEntrySchema,
  text: (entries, invocation) => entries.map((entry) => entryText(entry, invocation)).join(''),
})

function entryText({ id, at, userId, orgId, changes }: FlagEditEntry, invocation: Invocation): string {
  const head = `${id}  ${moment(at)}  ${oneLine(userId)} (${oneLine(orgId)})`
  return `${invocation.style.bold(head)}\n${changes.map((change) => keptText(change, invocation)).join('')}`
}

function keptText({ long, added, removed, ...change }: KeptChange, invocation: Invocation): string {
  if (long === true) return `  ${oneLine(change.path)}: ${invocation.t('(long)', '（内容过长）')}\n`
  if (added === undefined && removed === undefined) return changeLines([change], invocation)
  return changeLines([{ path: change.path, before: removed ?? [], after: added ?? [] }], invocation)
}
