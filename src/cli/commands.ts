import { readFileSync } from 'node:fs'
import { type Output, processOutput } from './output.js'

const HELP = `chat-cutover: moves chat traffic from a direct LLM to an agent runtime by flags, and back by itself.

Usage: chat-cutover <command> [options]

Commands:
  demo                 the whole service on this machine, with simulated LLM and runtime
  baseline             both execution modes beside their targets, from a running service
  flags validate       what a daemon or provider would refuse in the flag files
  llm validate         what the service would refuse in a file of LLM endpoints
  llm schema           the JSON schema of such a file

Options:
  -h, --help           this text; \`chat-cutover <command> --help\` for a command's own
  -V, --version        the version
`

type Environment = Readonly<Record<string, string | undefined>>

/** Runs one command. @returns the exit code: 0 well, 1 found something wrong, 2 wrong usage */
export async function runCommand(
  argv: readonly string[],
  env: Environment = process.env,
  output: Output = processOutput,
): Promise<number> {
  const [command, ...rest] = argv
  switch (command) {
    case undefined:
      output.err(HELP)
      return 2
    case 'help':
      if (rest.length > 0) return runCommand([...rest, '--help'], env, output)
      output.out(HELP)
      return 0
    case '-h':
    case '--help':
      output.out(HELP)
      return 0
    case '-V':
    case '--version':
      output.out(`${version()}\n`)
      return 0
    case 'demo': {
      const { runDemo } = await import('./demo.js')
      return runDemo(rest, output)
    }
    case 'baseline': {
      const { runBaseline } = await import('./baseline.js')
      return runBaseline(rest, env, output)
    }
    case 'flags':
      return runFlags(rest, env, output)
    case 'llm':
      return runLlm(rest, env, output)
    default:
      output.err(`Unknown command: ${command}\n\n${HELP}`)
      return 2
  }
}

async function runFlags(
  [verb, ...rest]: readonly string[],
  env: Environment,
  output: Output,
): Promise<number> {
  if (verb === 'validate' || verb === '-h' || verb === '--help') {
    const { runFlagsValidate } = await import('./flags-validate.js')
    return runFlagsValidate(verb === 'validate' ? rest : ['--help'], env, output)
  }
  const fault = verb === undefined ? 'What about the flags?' : `Unknown command: flags ${verb}.`
  output.err(`${fault} There is: chat-cutover flags validate\nTry: chat-cutover flags validate --help\n`)
  return 2
}

const LLM_HELP = `The file of LLM endpoints, CHAT_LLM_FILE.

Usage: chat-cutover llm validate [options] [file...]
       chat-cutover llm schema

Commands:
  validate             what this service would refuse in such a file
  schema               its JSON schema, for editors and other tools

Options:
  -h, --help           this text

Exit code: 0 well, 1 errors found, 2 wrong usage.
`

async function runLlm([verb, ...rest]: readonly string[], env: Environment, output: Output): Promise<number> {
  switch (verb) {
    case 'validate': {
      const { runLlmValidate } = await import('./llm-validate.js')
      return runLlmValidate(rest, env, output)
    }
    case 'schema': {
      const [extra] = rest
      if (extra === '-h' || extra === '--help') break
      if (extra !== undefined) {
        output.err(`llm schema takes nothing, not ${extra}.\nTry: chat-cutover llm --help\n`)
        return 2
      }
      const { endpointJsonSchema } = await import('../llm/endpoint-schema.js')
      output.out(endpointJsonSchema())
      return 0
    }
    case '-h':
    case '--help':
      break
    default: {
      const fault = verb === undefined ? 'What about the LLM endpoints?' : `Unknown command: llm ${verb}.`
      output.err(
        `${fault} There are: chat-cutover llm validate, chat-cutover llm schema\nTry: chat-cutover llm --help\n`,
      )
      return 2
    }
  }
  output.out(LLM_HELP)
  return 0
}

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}
