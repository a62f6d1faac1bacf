import { explanationSchema } from '../../protocol/api.js'
import type { CommandSpec } from '../command/invocation.js'
import { modeName } from '../text/format.js'
import { printable, table } from '../text/table.js'

export const explainCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .option('--org <id>', t('of this org (your own)', '组织（默认为您的组织）'))
      .option('--user <id>', t('of this user (you)', '用户（默认为您）'))
      .option('--session <id>', t('in this session (a new one)', '会话（默认为新会话）'))
      .option('--agent <id>', t('with this agent (none)', '智能体（默认无）')),
  examples: ['explain --org acme', 'explain --org acme --agent assistant --session 0190c0de'],
  remote: true,
  async run(invocation) {
    const { t, given, style } = invocation
    const query = {
      orgId: given.text('org'),
      userId: given.text('user'),
      sessionId: given.text('session'),
      agentId: given.text('agent'),
    }
    const { data } = await invocation.client().ask({ path: '/runtime/explain', query }, explanationSchema)
    if (invocation.json) {
      invocation.printJson(data)
      return 0
    }
    const { context, decision, steps } = data
    const shadow = decision.shadow ? t(', with a shadow', '，带影子执行') : ''
    const whom = [context.orgId, context.userId, context.agentId].filter((part) => part !== '').join(' / ')
    invocation.print(
      `${printable(whom)}: ${style.bold(modeName(decision.mode, t))} (${decision.reason})${shadow}\n\n`,
    )
    const rows = steps.map(({ flag, value, decides, why }) => [
      decides ? style.good('→') : ' ',
      printable(flag),
      printable(String(value)),
      printable(why),
    ])
    invocation.print(table([['', 'flag', t('value', '取值'), t('why', '原因')].map(style.dim), ...rows]))
    return 0
  },
}
