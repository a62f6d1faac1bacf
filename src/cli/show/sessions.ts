import { sessionSchema } from '../../protocol/api.js'
import type { CommandSpec } from '../command/invocation.js'
import { modeName, moment } from '../text/format.js'
import { oneLine, printable } from '../text/table.js'

export const sessionsShowCommand: CommandSpec = {
  words: ['sessions', 'show'],
  section: 'see',
  summary: { en: 'a conversation of your own', 'zh-CN': '查看您自己的一段对话' },
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
