import type { FlagEdit } from '../../protocol/flag-edit.js'
import type { CommandSpec } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'
import { modeName } from '../text/format.js'
import type { Say } from '../text/language.js'
import { table } from '../text/table.js'
import { dryRunOption, EDIT_EXITS, editFlags, readValues } from './edit-flags.js'

const MODES: ReadonlyMap<string, NonNullable<FlagEdit['mode']> | null> = new Map([
  ['direct_llm', 'direct_llm'],
  ['direct', 'direct_llm'],
  ['runtime_orchestrator', 'runtime_orchestrator'],
  ['runtime', 'runtime_orchestrator'],
  ['environment', null],
])

function modeOf(word: string, t: Say): NonNullable<FlagEdit['mode']> | null {
  const mode = MODES.get(word)
  if (mode !== undefined) return mode
  const known = [...MODES.keys()].join(', ')
  throw new CommandError(
    t(`There is no mode "${word}". Modes: ${known}`, `没有模式 "${word}"。可用：${known}`),
    2,
  )
}

export const modeGetCommand: CommandSpec = {
  examples: ['mode get', 'mode get --json | jq -r .value'],
  remote: true,
  async run(invocation) {
    const { mode } = await readValues(invocation)
    if (invocation.json) {
      invocation.printJson(mode)
      return 0
    }
    const { t } = invocation
    const byHand = t('a rule made by hand', '手工规则')
    invocation.print(
      table([
        [
          t('Mode', '模式'),
          mode.value === null
            ? t(
                'CHAT_EXECUTION_MODE and CHAT_RUNTIME_ENABLED_ORGS decide',
                '由 CHAT_EXECUTION_MODE 与 CHAT_RUNTIME_ENABLED_ORGS 决定',
              )
            : modeName(mode.value, t),
        ],
        [
          t('Orgs', '组织'),
          mode.enabledOrgs === null
            ? byHand
            : mode.enabledOrgs.join(', ') || t('none in the flag', 'flag 中无'),
        ],
        [t('Canary', '灰度'), mode.canaryPercent === null ? byHand : `${mode.canaryPercent}%`],
      ]),
    )
    return 0
  },
}

export const modeSetCommand: CommandSpec = {
  define: (command, t) =>
    void dryRunOption(
      command.argument(
        '<mode>',
        t(
          'direct_llm, runtime_orchestrator, or environment: CHAT_EXECUTION_MODE decides again',
          'direct_llm、runtime_orchestrator，或 environment（重新由 CHAT_EXECUTION_MODE 决定）',
        ),
      ),
      t,
    ),
  examples: ['mode set runtime_orchestrator --dry-run', 'mode set direct_llm'],
  exits: EDIT_EXITS,
  remote: true,
  run: (invocation) => editFlags({ mode: modeOf(invocation.given.words[0] ?? '', invocation.t) }, invocation),
}
