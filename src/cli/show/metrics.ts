import { metricsSchema, orgMetricsSchema } from '../../protocol/fallback.js'
import type { CommandSpec } from '../command/invocation.js'
import { printable } from '../text/table.js'
import { metricsTable } from './status-lines.js'

export const metricsCommand: CommandSpec = {
  define: (command, t) => void command.argument('[org]', t('of this org alone', '仅此组织')),
  examples: ['metrics', 'metrics acme', "metrics --json | jq '.runtime.errorRate'"],
  remote: true,
  async run(invocation) {
    const { t, given } = invocation
    const [org] = given.words
    const client = invocation.client()
    const { data } =
      org === undefined
        ? await client.ask({ path: '/runtime/metrics' }, metricsSchema)
        : await client.ask({ path: `/runtime/metrics/${encodeURIComponent(org)}` }, orgMetricsSchema)
    if (invocation.json) {
      invocation.printJson(data)
      return 0
    }
    invocation.print(metricsTable(data, invocation))
    if ('fallbackReason' in data && data.fallbackEnabled)
      invocation.print(
        `\n${invocation.style.bad(t('Fallback: ', '回退：'))}${printable(data.fallbackReason)}\n`,
      )
    return 0
  },
}
