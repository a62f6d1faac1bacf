import { type Command, InvalidArgumentError } from 'commander'
import type { Clock } from '../../core/clock.js'
import { type Connection, connectionOf } from '../service/connection.js'
import { createServiceClient, DEFAULT_DEADLINE_MS, type ServiceClient } from '../service/service-client.js'
import type { ExitCode } from '../text/command-error.js'
import { type Language, type Say, sayIn, type Text } from '../text/language.js'
import type { Output } from '../text/output.js'
import { type Style, styleOf } from '../text/style.js'
import type { Section } from './sections.js'

const MAX_DEADLINE_SECONDS = 3600

export type Environment = Readonly<Record<string, string | undefined>>

/** What a command has of the process beside its words. */
export interface Surroundings {
  readonly env: Environment
  readonly output: Output
  readonly clock: Clock
  /** Aborted by Ctrl-C from the first call on; before it Ctrl-C ends the process as always. */
  interrupted(): AbortSignal
  /** What people or a pipe type. */
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean }
}

/** The words of one call, parsed. */
export class Given {
  constructor(
    readonly words: readonly string[],
    private readonly options: Readonly<Record<string, unknown>>,
  ) {}

  is(name: string): boolean {
    return this.options[name] === true
  }

  text(name: string): string | undefined {
    const value = this.options[name]
    return typeof value === 'string' ? value : undefined
  }

  number(name: string): number | undefined {
    const value = this.options[name]
    return typeof value === 'number' ? value : undefined
  }

  list(name: string): readonly string[] {
    const value = this.options[name]
    return Array.isArray(value) ? value.map(String) : []
  }
}

export interface ClientWish {
  /** in place of the address and token that are given otherwise */
  readonly connection?: Connection
  /** ms for one call, in place of --timeout */
  readonly deadlineMs?: number
  /** for what is to be done although, or because, Ctrl-C was pressed */
  readonly afterInterrupt?: boolean
}

/** One call of one command. */
export interface Invocation extends Surroundings {
  readonly language: Language
  readonly t: Say
  readonly style: Style
  readonly given: Given
  /** --json */
  readonly json: boolean
  print(text: string): void
  printJson(value: unknown): void
  /** The service that the options, the environment or a profile name. @throws CommandError 2 */
  client(asked?: ClientWish): ServiceClient
}

export function createInvocation(around: Surroundings, language: Language, given: Given): Invocation {
  const t = sayIn(language)
  const { output, env } = around
  return {
    ...around,
    language,
    t,
    style: styleOf(output, env),
    given,
    json: given.is('json'),
    print: (text) => output.out(text),
    printJson: (value) => output.out(`${JSON.stringify(value, null, 2)}\n`),
    client({ afterInterrupt = false, connection, deadlineMs } = {}) {
      const named = { url: given.text('url'), profile: given.text('profile') }
      const seconds = given.number('timeout')
      return createServiceClient(connection ?? connectionOf(named, env, t), {
        language,
        deadlineMs: deadlineMs ?? (seconds === undefined ? DEFAULT_DEADLINE_MS : seconds * 1000),
        ...(afterInterrupt ? {} : { interrupted: around.interrupted() }),
      })
    },
  }
}

/** What the help lists of a command: known before its code is loaded. */
interface Described {
  /** as they are typed: `fallback trigger` */
  readonly words: readonly string[]
  readonly section: Section
  readonly summary: Text
}

/** The code of a command whose words commander parses. */
export interface CommandSpec {
  /** adds arguments and options */
  define?(command: Command, t: Say): void
  /** without `chat-cutover` */
  readonly examples: readonly string[]
  /** in place of "done" behind exit code 0 and of the usual reasons behind 1 */
  readonly exits?: Text
  /** asks the service: takes --url, --profile, --timeout */
  readonly remote: boolean
  run(invocation: Invocation): Promise<ExitCode>
}

export interface ListedCommand extends Described {
  /** The packages of other commands are not loaded. */
  load(): Promise<CommandSpec>
}

export type LoadedCommand = Described & CommandSpec

/** A command that reads its own words, as it did before there were others. */
export interface OwnCommand extends Described {
  /** for the completion of shells */
  readonly options: readonly string[]
  runWords(words: readonly string[], around: Surroundings, language: Language): Promise<number> | number
}

export type AnyCommand = ListedCommand | OwnCommand

/** For commander: a whole number within bounds. */
export const wholeNumber =
  (least: number, most: number, t: Say) =>
  (text: string): number => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(
      t(
        `It must be a whole number from ${least} to ${most}, not ${text}`,
        `必须是 ${least} 到 ${most} 的整数，而不是 ${text}`,
      ),
    )
  }

/** For commander: what --timeout says. */
export const deadlineSeconds = (t: Say) => wholeNumber(1, MAX_DEADLINE_SECONDS, t)

/** For commander: an option that may come more than once, or with commas. */
export const collected = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(',').filter((item) => item !== ''),
]
