import type { Command } from 'commander'
import {
  type FlagEdit,
  type FlagEditPreview,
  flagEditAnswerSchema,
  flagEditPreviewSchema,
  flagsViewSchema,
  type OpsValues,
} from '../../protocol/flag-edit.js'
import type { FlagChange } from '../../protocol/flag-edit-record.js'
import type { Invocation } from '../command/invocation.js'
import type { ServiceClient } from '../service/service-client.js'
import { CommandError, type ExitCode, Refused } from '../text/command-error.js'
import type { Say, Text } from '../text/language.js'
import { oneLine, printable } from '../text/table.js'

/** Edits of the operators' file through the service. */

/** Tries of an edit that says the same whatever others changed meanwhile. */
const COMMUTATIVE_TRIES = 2

export const EDIT_EXITS: Text = {
  en: 'Exit code: 0 written and in force (or so already); 1 refused, or written and not yet in force; 2 wrong usage; 130 ended by Ctrl-C.',
  'zh-CN':
    '退出码（Exit code: 0 / 1 / 2 / 130）：0 已写入并生效（或原本如此）；1 被拒绝，或已写入但尚未生效；2 用法错误；130 被 Ctrl-C 中断。',
}

export const dryRunOption = (command: Command, t: Say): Command =>
  command.option(
    '--dry-run',
    t('shows the diff and whom it would move; writes nothing', '只显示差异及受影响的会话，不写入'),
  )

/**
 * Reads the tag of the file, edits, and tells what changed.
 * @param options commutative: made once more where somebody else was faster, for it takes nothing of theirs back
 */
export async function editFlags(
  edit: FlagEdit,
  invocation: Invocation,
  options: { readonly commutative?: boolean } = {},
): Promise<ExitCode> {
  const client = invocation.client()
  if (invocation.given.is('dryRun')) return preview(edit, client, invocation)
  const answer = await write(edit, client, options.commutative === true ? COMMUTATIVE_TRIES : 1)
  const { t, style } = invocation
  if (invocation.json) invocation.printJson(answer)
  else if (answer.changes.length === 0)
    invocation.print(`${t('Nothing to change: the flags already say so.', '无需修改：已是如此。')}\n`)
  else {
    const inForce = answer.inForce
      ? style.good(t('Written and in force:', '已写入并生效：'))
      : style.warning(t('Written, not yet in force:', '已写入，尚未生效：'))
    invocation.print(`${inForce}\n${changeLines(answer.changes, invocation)}`)
  }
  if (!answer.inForce) invocation.output.err(`${printable(answer.note)}\n`)
  return answer.inForce ? 0 : 1
}

async function write(edit: FlagEdit, client: ServiceClient, tries: number) {
  for (let attempt = 1; ; attempt += 1) {
    const { headers } = await client.ask({ path: '/runtime/flags' }, flagsViewSchema)
    const call = {
      method: 'PATCH',
      path: '/runtime/flags',
      body: edit,
      headers: { 'If-Match': headers.get('ETag') ?? '' },
    } as const
    try {
      return (await client.ask(call, flagEditAnswerSchema)).data
    } catch (thrown) {
      if (!(thrown instanceof Refused && thrown.status === 412) || attempt >= tries) throw thrown
    }
  }
}

/** Asked without `If-Match`: a service that does not know the dry run answers 428 and writes nothing. */
async function preview(edit: FlagEdit, client: ServiceClient, invocation: Invocation): Promise<ExitCode> {
  const { t } = invocation
  const call = {
    method: 'PATCH',
    path: '/runtime/flags',
    query: { dryRun: 'true' },
    body: edit,
  } as const
  try {
    const { data } = await client.ask(call, flagEditPreviewSchema)
    if (invocation.json) invocation.printJson(data)
    else invocation.print(previewText(data, invocation))
    return 0
  } catch (thrown) {
    if (!(thrown instanceof Refused && thrown.status === 428)) throw thrown
    throw new CommandError(
      t(
        'The service is of an older version and cannot show an edit beforehand. Nothing was written.',
        '服务版本较低，无法预览修改。未写入任何内容。',
      ),
      1,
    )
  }
}

function previewText({ changes, diff, effect }: FlagEditPreview, invocation: Invocation): string {
  const { t } = invocation
  if (changes.length === 0)
    return `${t('Nothing would change: the flags already say so.', '不会有变化：已是如此。')}\n`
  const lines = diff === null ? changeLines(changes, invocation) : diffLines(diff, invocation)
  const sentence = effect === null ? '' : `\n${printable(effect.sentence)}\n`
  return `${lines}${sentence}\n${t('Nothing was written.', '未写入任何内容。')}\n`
}

export const diffLines = (diff: string, { style }: Pick<Invocation, 'style'>): string =>
  printable(diff)
    .split('\n')
    .map((line) => {
      if (/^(\+\+\+|---|@@)/.test(line)) return style.dim(line)
      if (line.startsWith('+')) return style.good(line)
      return line.startsWith('-') ? style.bad(line) : line
    })
    .join('\n')

export function changeLines(
  changes: readonly FlagChange[],
  { style, t }: Pick<Invocation, 'style' | 't'>,
): string {
  const shown = (value: unknown): string =>
    value === undefined ? t('(nothing)', '（无）') : oneLine(JSON.stringify(value))
  return changes
    .map(({ path, before, after }) => {
      if (isList(before) && isList(after)) {
        const added = after
          .filter((item) => !before.includes(item))
          .map((item) => style.good(`+${oneLine(item)}`))
        const removed = before
          .filter((item) => !after.includes(item))
          .map((item) => style.bad(`-${oneLine(item)}`))
        return `  ${oneLine(path)}: ${[...added, ...removed].join(' ')}\n`
      }
      return `  ${oneLine(path)}: ${style.bad(shown(before))} → ${style.good(shown(after))}\n`
    })
    .join('')
}

const isList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** What the operators' file says. @throws CommandError where it cannot be read */
export async function readValues(invocation: Invocation): Promise<OpsValues> {
  const { data } = await invocation.client().ask({ path: '/runtime/flags' }, flagsViewSchema)
  const { file, fault, values } = data.ops
  if (values !== null) return values
  const { t } = invocation
  if (data.resolver === 'provider')
    throw new CommandError(
      t(
        `The operators' flags are in the provider of ${oneLine(file)}, and this service cannot read them. chat-cutover explain shows what a caller gets`,
        `运维 flag 由 ${oneLine(file)} 的 provider 提供，本服务无法读取。可用 chat-cutover explain 查看某个调用者的结果`,
      ),
      1,
    )
  const why = printable(fault ?? '')
  throw new CommandError(
    t(
      `The operators' flag file ${file} cannot be read: ${why}. See every fault: chat-cutover flags validate ${file}`,
      `无法读取运维 flag 文件 ${file}：${why}。详见 chat-cutover flags validate ${file}`,
    ),
    1,
  )
}
