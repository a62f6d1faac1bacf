#!/usr/bin/env node
import { readFileSync } from 'node:fs'

const HELP = `chat-cutover: moves chat traffic from a direct LLM to an agent runtime by flags, and back by itself.

Usage: chat-cutover <command> [options]

Commands:
  demo                 the whole service on this machine, with simulated LLM and runtime
  baseline             both execution modes beside their targets, from a running service
  flags validate       what a daemon or provider would refuse in the flag files

Options:
  -h, --help           this text; \`chat-cutover <command> --help\` for a command's own
  -V, --version        the version
`

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}

/** Runs one command; the result is the exit code (0 well, 1 found something wrong, 2 wrong usage). */
async function run(argv: readonly string[]): Promise<number> {
  const [command, ...rest] = argv
  switch (command) {
    case undefined:
    case 'help':
    case '-h':
    case '--help':
      process.stdout.write(HELP)
      return command === undefined ? 2 : 0
    case '-V':
    case '--version':
      process.stdout.write(`${version()}\n`)
      return 0
    case 'demo': {
      const { runDemo } = await import('./demo.js')
      return runDemo(rest)
    }
    case 'baseline': {
      const { runBaseline } = await import('./baseline.js')
      return runBaseline(rest)
    }
    case 'flags': {
      const [verb, ...args] = rest
      if (verb === 'validate') {
        const { runFlagsValidate } = await import('./flags-validate.js')
        return runFlagsValidate(args)
      }
      process.stderr.write(`Unknown command: flags ${verb ?? ''}\nTry: chat-cutover flags validate --help\n`)
      return 2
    }
    default:
      process.stderr.write(`Unknown command: ${command}\n\n${HELP}`)
      return 2
  }
}

process.exitCode = await run(process.argv.slice(2))
