import type { CommandSpec, Invocation } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'
import { oneLine } from '../text/table.js'
import { dryRunOption, EDIT_EXITS, editFlags, readValues } from './edit-flags.js'

export const orgsListCommand: CommandSpec = {
  examples: ['orgs list', 'orgs list --json | jq length'],
  remote: true,
  async run(invocation) {
    const { mode } = await readValues(invocation)
    if (mode.enabledOrgs === null)
      throw new CommandError(
        invocation.t(
          'The targeting of chat-execution-mode was made by hand: read it in the file (chat-cutover flags show names it)',
          'chat-execution-mode 的规则为手工编写，请直接查看文件（chat-cutover flags show 会显示路径）',
        ),
        1,
      )
    if (invocation.json) invocation.printJson(mode.enabledOrgs)
    else invocation.print(mode.enabledOrgs.map((org) => `${oneLine(org)}\n`).join(''))
    return 0
  },
}

export const orgsAddCommand: CommandSpec = {
  define: (command, t) => void dryRunOption(command.argument('<org...>', t('ids of orgs', '组织编号')), t),
  examples: ['orgs add acme', 'orgs add acme globex --dry-run'],
  exits: EDIT_EXITS,
  remote: true,
  run: (invocation) =>
    editFlags({ enabledOrgs: { add: separated(invocation) } }, invocation, { commutative: true }),
}

export const orgsRemoveCommand: CommandSpec = {
  define: (command, t) => void dryRunOption(command.argument('<org...>', t('ids of orgs', '组织编号')), t),
  examples: ['orgs remove acme'],
  exits: EDIT_EXITS,
  remote: true,
  run: (invocation) =>
    editFlags(
      { enabledOrgs: { remove: [...new Set([...given(invocation), ...separated(invocation)])] } },
      invocation,
      { commutative: true },
    ),
}

const given = ({ given: { words } }: Invocation): readonly string[] => words

/** No org's id has a comma or a blank: `acme,globex` are two. What a hand put into the file like that can still be removed. */
const separated = (invocation: Invocation): string[] => [
  ...new Set(given(invocation).flatMap((word) => word.split(/[\s,]+/).filter((org) => org !== ''))),
]
