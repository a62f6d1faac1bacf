import { z } from 'zod'
import { type CommandSpec, type Invocation, wholeNumber } from '../command/invocation.js'

type History<Entry> = Pick<CommandSpec, 'examples'> & {
  /** below the prefix of the API; answers the newest entries first */
  readonly path: string
  readonly entry: z.ZodType<Entry>
  /** of at least one entry, ready to print */
  text(entries: readonly Entry[], invocation: Invocation): string
}

/** A command that shows one page of a history. */
export const historyPageCommand = <Entry>({ path, entry, text, examples }: History<Entry>): CommandSpec => ({
  examples,
  define: (command, t) =>
    void command
      .option('--limit <n>', t('how many entries (20)', '条数（20）'), wholeNumber(1, 500, t))
      .option(
        '--before <id>',
        t('older than this entry', '早于此条'),
        wholeNumber(1, Number.MAX_SAFE_INTEGER, t),
      ),
  remote: true,
  async run(invocation) {
    const { given, t } = invocation
    const query = { limit: String(given.number('limit') ?? 20), before: given.number('before')?.toString() }
    const { data } = await invocation.client().ask({ path, query }, z.array(entry))
    if (invocation.json) invocation.printJson(data)
    else invocation.print(data.length === 0 ? `${t('Nothing yet.', '暂无记录。')}\n` : text(data, invocation))
    return 0
  },
})
