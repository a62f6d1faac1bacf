import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { FlagChange } from '../../protocol/flag-edit-record.js'
import type { CommandSpec } from '../command/invocation.js'
import { causeText } from '../text/cause-text.js'
import { CommandError } from '../text/command-error.js'
import type { Say } from '../text/language.js'
import { changeLines } from './edit-flags.js'

const SHIPPED = 'flags/chat.flagd.json'

export const flagsDiffCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .argument('<file>', t('the new one, or the old one where two are given', '新文件；给出两个时为旧文件'))
      .argument(
        '[other]',
        t(
          `the new one; without it the old one is CHAT_FLAGS_FILE (${SHIPPED})`,
          `新文件；省略时旧文件为 CHAT_FLAGS_FILE（${SHIPPED}）`,
        ),
      ),
  examples: ['flags diff chat.flagd.json.new', 'flags diff old.json new.json --json'],
  exits: {
    en: 'Exit code: 0 they say the same; 1 they differ; 2 wrong usage, or a file that cannot be read.',
    'zh-CN': '退出码（Exit code: 0 / 1 / 2）：0 取值相同；1 有差异；2 用法错误或文件无法读取。',
  },
  remote: false,
  async run(invocation) {
    const { given, t, env } = invocation
    const [first = '', second] = given.words
    const [before, after] = second === undefined ? [env.CHAT_FLAGS_FILE || SHIPPED, first] : [first, second]
    const changes = differences(documentOf(before, t), documentOf(after, t))
    if (invocation.json) invocation.printJson({ before, after, changes })
    else if (changes.length === 0) invocation.print(`${t('They say the same.', '取值相同。')}\n`)
    else invocation.print(`${before} → ${after}\n${changeLines(changes, invocation)}`)
    return changes.length === 0 ? 0 : 1
  },
}

function documentOf(file: string, t: Say): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (thrown) {
    const why = causeText(thrown, t)
    const fault = t(`${file} cannot be read: ${why}`, `无法读取 ${file}：${why}`)
    const place =
      thrown instanceof SyntaxError
        ? t(
            `. See the place: chat-cutover flags validate ${file}`,
            `。查看出错位置：chat-cutover flags validate ${file}`,
          )
        : ''
    throw new CommandError(fault + place, 2)
  }
}

/** Every value that is not the same, by its path; lists are compared whole. */
export function differences(before: unknown, after: unknown, path = ''): FlagChange[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isObject(before) || !isObject(after))
    return [
      {
        path,
        ...(before === undefined ? {} : { before }),
        ...(after === undefined ? {} : { after }),
      },
    ]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
