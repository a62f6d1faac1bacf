import { guardrailsSchema } from '../../decision/guardrails.js'
import type { CommandSpec } from '../command/invocation.js'
import { CommandError } from '../text/command-error.js'
import type { Say } from '../text/language.js'
import { oneLine, table } from '../text/table.js'
import { dryRunOption, EDIT_EXITS, editFlags, readValues } from './edit-flags.js'
import { fieldsOf, flattened } from './fields.js'

export const guardrailsGetCommand: CommandSpec = {
  define: (command, t) => void command.argument('[name...]', t('these alone', '仅这些')),
  examples: ['guardrails get', 'guardrails get errorRate totalMs', 'guardrails get --json | jq .file'],
  remote: true,
  async run(invocation) {
    const { t, given, style } = invocation
    const { guardrails: file } = await readValues(invocation)
    const defaults = flattened(guardrailsSchema.parse({}))
    if (invocation.json) {
      invocation.printJson({ file, defaults: guardrailsSchema.parse({}) })
      return 0
    }
    if (file === null)
      invocation.output.err(
        `${t(
          'The guardrails of the file were made by hand: only the defaults are known here. Read the file itself.',
          '文件中的护栏为手工编写，此处仅显示默认值，请直接查看文件。',
        )}\n`,
      )
    const set = flattened(file ?? {})
    const names = [...new Set([...defaults.keys(), ...set.keys()])].filter(
      (name) =>
        given.words.length === 0 || given.words.some((word) => name === word || name.startsWith(`${word}.`)),
    )
    if (names.length === 0)
      throw new CommandError(
        t(
          `There is no such guardrail: ${given.words.join(', ')}`,
          `没有这样的护栏：${given.words.join(', ')}`,
        ),
        1,
      )
    const rows = names.map((name) => {
      const value = set.has(name) ? set.get(name) : defaults.get(name)
      const from = value === null && defaults.get(name) === null ? OFF[name]?.(t) : undefined
      return [
        oneLine(name),
        from ?? (set.has(name) ? t('file', '文件') : style.dim(t('default', '默认值'))),
        oneLine(JSON.stringify(value)),
      ]
    })
    invocation.print(table(rows))
    return 0
  },
}

/** What null stands for. */
const OFF: Readonly<Record<string, (t: Say) => string>> = {
  errorRate: () => 'CHAT_RUNTIME_ERROR_RATE_THRESHOLD',
  totalMs: () => 'CHAT_RUNTIME_TIMEOUT_THRESHOLD_MS',
  firstContentP95Ms: (t) => t('not judged', '不判断'),
}

export const guardrailsSetCommand: CommandSpec = {
  define: (command, t) =>
    void dryRunOption(
      command.argument(
        '<name=value...>',
        t('values are JSON; llm.gapMs is of the direct LLM', '取值为 JSON；llm.gapMs 属于直连 LLM'),
      ),
      t,
    ),
  examples: [
    'guardrails set errorRate=0.4 minSamples=20',
    'guardrails set errorRate=null --dry-run',
    'guardrails set llm.gapMs=90000',
    `guardrails set 'softFailures=["I encountered an error:"]'`,
  ],
  exits: EDIT_EXITS,
  remote: true,
  run(invocation) {
    const { given, t } = invocation
    return editFlags({ guardrails: fieldsOf(given.words, t) }, invocation)
  },
}
