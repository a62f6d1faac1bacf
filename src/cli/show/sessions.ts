import { sessionSchema } from '../../protocol/api.js'
import { sessionListSchema } from '../../protocol/session-list.js'
import { confirmed } from '../command/confirm.js'
import { type CommandSpec, wholeNumber } from '../command/invocation.js'
import { modeName, moment } from '../text/format.js'
import { oneLine, printable, table } from '../text/table.js'

export const sessionsListCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option('--limit <n>', t('how many conversations (20)', '条数（20）'), wholeNumber(1, 100, t))
      .option('--cursor <cursor>', t('the page after this one', '上一页给出的 cursor')),
  examples: ['sessions list', 'sessions list --limit 5 --json'],
  remote: true,
  async run(invocation) {
    const { t, style, given } = invocation
    const query = { limit: String(given.number('limit') ?? 20), cursor: given.text('cursor') }
    const { data } = await invocation.client().ask({ path: '/chat/sessions', query }, sessionListSchema)
    if (invocation.json) {
      invocation.printJson(data)
      return 0
    }
    if (data.sessions.length === 0) {
      invocation.print(`${t('Nothing yet.', '暂无记录。')}\n`)
      return 0
    }
    const head = [
      t('session', '会话'),
      t('agent', '智能体'),
      t('last turn', '最近一轮'),
      t('turns', '轮数'),
      t('begins with', '开头'),
    ]
    const rows = data.sessions.map(({ sessionId, agentId, updatedAt, turns, title }) => [
      oneLine(sessionId),
      oneLine(agentId),
      moment(updatedAt),
      String(turns),
      shortened(oneLine(title)),
    ])
    invocation.print(table([head.map(style.dim), ...rows]))
    if (data.nextCursor !== null)
      invocation.print(
        `${t('More: ', '下一页：')}chat-cutover sessions list --cursor ${oneLine(data.nextCursor)}\n`,
      )
    return 0
  },
}

/** characters of a title in the table */
const TITLE = 40
const shortened = (title: string): string =>
  [...title].length > TITLE ? `${[...title].slice(0, TITLE - 1).join('')}…` : title

export const sessionsDeleteCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .argument('<id>', t('id of the session', '会话编号'))
      .option('--yes', t('do not ask', '不再询问')),
  examples: [
    'sessions delete 0190c0de-0000-7000-8000-000000000000',
    'sessions delete 0190c0de-0000-7000-8000-000000000000 --yes',
  ],
  remote: true,
  async run(invocation) {
    const { t, given } = invocation
    const sessionId = given.words[0] ?? ''
    const client = invocation.client()
    const question = t(
      `Erase the conversation ${oneLine(sessionId)} for good? [y/N] `,
      `确定彻底删除对话 ${oneLine(sessionId)}？[y/N] `,
    )
    if (!given.is('yes') && !(await confirmed(question, invocation))) {
      invocation.output.err(`${t('Nothing was erased.', '未删除任何内容。')}\n`)
      return 1
    }
    await client.tell({ method: 'DELETE', path: `/chat/sessions/${encodeURIComponent(sessionId)}` })
    if (invocation.json) invocation.printJson({ sessionId, deleted: true })
    else invocation.print(`${t('Erased.', '已删除。')}\n`)
    return 0
  },
}

export const sessionsShowCommand: CommandSpec = {
  define: (command, t) => void command.argument('<id>', t('id of the session', '会话编号')),
  examples: ['sessions show 0190c0de-0000-7000-8000-000000000000'],
  remote: true,
  async run(invocation) {
    const { t, style, given } = invocation
    const path = `/chat/sessions/${encodeURIComponent(given.words[0] ?? '')}`
    const { data } = await invocation.client().ask({ path }, sessionSchema)
    if (invocation.json) {
      invocation.printJson(data)
      return 0
    }
    invocation.print(
      `${style.bold(oneLine(data.sessionId))}  ${oneLine(data.agentId)}  ${moment(data.createdAt)}\n`,
    )
    for (const message of data.messages) {
      const who =
        message.role === 'user'
          ? t('You', '您')
          : [
              message.executionMode === undefined
                ? t('Assistant', '助手')
                : modeName(message.executionMode, t),
              message.status,
            ].join(', ')
      invocation.print(
        `\n${style.dim(`${moment(message.createdAt)}  ${who}`)}\n${printable(message.content)}\n`,
      )
    }
    return 0
  },
}
