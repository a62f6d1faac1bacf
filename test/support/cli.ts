import { Readable } from 'node:stream'
import type { Surroundings } from '../../src/cli/command/invocation.js'
import { runCommand } from '../../src/cli/commands.js'
import { bearer } from './edge.js'

/** The command line through its public entry: words and environment in, output and exit code out. */

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface CliSetting extends Partial<Pick<Surroundings, 'clock'>> {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** what is typed or piped in */
  readonly input?: string | Readable
  /** of a screen; absent: a pipe */
  readonly columns?: number
  /** Ctrl-C */
  readonly interrupt?: AbortSignal
  /** Told of all output as it comes. */
  readonly onOutput?: (all: string) => void
}

export async function runCli(argv: readonly string[], setting: CliSetting = {}): Promise<Said> {
  const said = { out: '', err: '' }
  const { env = {}, input = '', columns, interrupt, onOutput, clock } = setting
  const output = {
    out: (text: string) => {
      said.out += text
      onOutput?.(said.out)
    },
    err: (text: string) => {
      said.err += text
    },
    ...(columns === undefined ? {} : { columns }),
  }
  const code = await runCommand(argv, { XDG_CONFIG_HOME: '/nonexistent', ...env }, output, {
    input: typeof input === 'string' ? Readable.from(input === '' ? [] : [input]) : input,
    interrupted: () => interrupt ?? new AbortController().signal,
    ...(clock === undefined ? {} : { clock }),
  })
  return { code, ...said }
}

/** An access token of the test edge, as CHAT_TOKEN has it. */
export const edgeToken = async (claims: Parameters<typeof bearer>[0] = {}): Promise<string> =>
  (await bearer({ role: 'admin', ...claims })).replace('Bearer ', '')

export const operatorEnv = async (
  { url }: { readonly url: string },
  claims: Parameters<typeof bearer>[0] = {},
): Promise<Record<string, string>> => ({ CHAT_URL: url, CHAT_TOKEN: await edgeToken(claims) })
