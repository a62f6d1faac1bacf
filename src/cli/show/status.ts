import { fallbackStatusSchema, metricsSchema } from '../../protocol/fallback.js'
import { type FlagsView, flagsViewSchema } from '../../protocol/flag-edit.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { modeName } from '../text/format.js'
import { printable, table } from '../text/table.js'
import { rolloutLine, rolloutOf } from './rollout.js'
import { fallbackLines, metricsTable, replicaLines } from './status-lines.js'

export const statusCommand: CommandSpec = {
  examples: ['status', "status --json | jq '.status.fallback.state'"],
  remote: true,
  async run(invocation) {
    const client = invocation.client()
    const [status, flags, metrics, rollout] = await Promise.all([
      client.ask({ path: '/runtime/fallback/status' }, fallbackStatusSchema),
      client.ask({ path: '/runtime/flags' }, flagsViewSchema),
      client.ask({ path: '/runtime/metrics' }, metricsSchema),
      rolloutOf(client),
    ])
    if (invocation.json) {
      const given = rollout === undefined ? {} : { rollout }
      invocation.printJson({ status: status.data, flags: flags.data, metrics: metrics.data, ...given })
      return 0
    }
    const { t, style } = invocation
    const rows = [
      [t('Service', '服务'), `${client.connection.url} (${printable(status.data.replica)})`],
      ...fallbackLines(status.data, invocation),
      ...replicaLines(status.data, invocation),
      ...rolloutLine(rollout, invocation),
      ...flagLines(flags.data, invocation),
    ]
    invocation.print(table(rows.map(([name = '', text = '']) => [style.bold(name), text])))
    invocation.print(`\n${t('The last five minutes:', '最近五分钟：')}\n`)
    invocation.print(metricsTable(metrics.data, invocation))
    return 0
  },
}

/** What the operators' flags say, and what is wrong with them. */
export function flagLines(
  { resolver, state, faults, ops }: FlagsView,
  { t, style }: Pick<Invocation, 't' | 'style'>,
): string[][] {
  const rows: string[][] = []
  if (state === 'stale')
    rows.push([
      t('In force', '生效中'),
      style.warning(
        t(
          'the last good flags, not what the file says now; see chat-cutover explain',
          '最近一次有效的 flag，而非文件的当前内容；请用 chat-cutover explain 查看',
        ),
      ),
    ])
  if (ops.values !== null) {
    const { mode, shadow, llmRoute } = ops.values
    const byHand = t('a rule made by hand', '手工规则')
    const environment = t('the environment decides', '由环境变量决定')
    rows.push([t('Mode', '模式'), mode.value === null ? environment : modeName(mode.value, t)])
    rows.push([
      t('Orgs', '组织'),
      mode.enabledOrgs === null
        ? byHand
        : printable(mode.enabledOrgs.join(', ')) || t('none in the flag', 'flag 中无'),
    ])
    rows.push([t('Canary', '灰度'), mode.canaryPercent === null ? byHand : `${mode.canaryPercent}%`])
    const share = shadow.percent === null ? environment : `${shadow.percent}%`
    rows.push([t('Shadow', '影子'), shadow.handMade ? byHand : share])
    if (llmRoute !== null) rows.push([t('LLM route', 'LLM 路由'), printable(llmRoute.join(', '))])
  }
  const where = `${state} (${resolver}, ${ops.file})`
  rows.push([t('Flags', 'Flag'), state === 'ready' ? where : style.warning(where)])
  if (ops.fault !== null) rows.push([style.bad(t('Fault', '错误')), printable(ops.fault)])
  for (const { where: file, line, message } of faults)
    rows.push([
      style.bad(t('Fault', '错误')),
      printable(`${file}${line === undefined ? '' : `:${line}`}: ${message}`),
    ])
  return rows
}
