import { chatLimitsSchema } from '../../limits/chat-limits.js'
import type { CommandSpec } from '../command/invocation.js'
import { oneLine, table } from '../text/table.js'
import { dryRunOption, EDIT_EXITS, editFlags, readValues } from './edit-flags.js'
import { fieldsOf, flattened } from './fields.js'

export const limitsGetCommand: CommandSpec = {
  examples: ['limits get', 'limits get --json | jq .file'],
  remote: true,
  async run(invocation) {
    const { t, style } = invocation
    const { limits: file = null } = await readValues(invocation)
    const defaults = chatLimitsSchema.parse({})
    if (invocation.json) {
      invocation.printJson({ file, defaults })
      return 0
    }
    if (file === null)
      invocation.output.err(
        `${t(
          'The file has no limits for all, or they were made by hand: only the defaults are known here.',
          '文件中没有面向全体的限额，或为手工编写，此处仅显示默认值。',
        )}\n`,
      )
    const set = flattened(file ?? {})
    const known = flattened(defaults)
    const names = [...new Set([...known.keys(), ...set.keys()])]
    invocation.print(
      table(
        names.map((name) => {
          const value = set.has(name) ? set.get(name) : known.get(name)
          const from = set.has(name) ? t('file', '文件') : style.dim(t('default', '默认值'))
          const nobody = t('no limit', '不限')
          const source = value === null ? (ENVIRONMENT[name] ?? nobody) : value === 0 ? nobody : from
          return [oneLine(name), source, oneLine(JSON.stringify(value))]
        }),
      ),
    )
    return 0
  },
}

/** What null stands for. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  maxStreams: 'CHAT_MAX_STREAMS',
  startsPerMinutePerUser: 'CHAT_RATE_LIMIT_PER_MINUTE',
}

export const limitsSetCommand: CommandSpec = {
  define: (command, t) =>
    void dryRunOption(
      command.argument(
        '<name=value...>',
        t(
          'values are JSON; 0: no limit; weights.ORG: share of that org',
          '取值为 JSON；0 表示不限；weights.ORG 为该组织的份额',
        ),
      ),
      t,
    ),
  examples: [
    'limits set streamsPerOrg=200 startsPerMinutePerUser=20',
    'limits set tokensPerDayPerOrg=2000000 --dry-run',
    'limits set weights.acme=3',
    'limits set maxStreams=null',
  ],
  exits: EDIT_EXITS,
  remote: true,
  run: (invocation) => editFlags({ limits: fieldsOf(invocation.given.words, invocation.t) }, invocation),
}
