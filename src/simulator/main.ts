import { parseArgs } from 'node:util'
import { errorText } from '../core/errors.js'
import { describeFaults } from './faults.js'
import { startLlmSimulator } from './llm.js'
import { startRuntimeSimulator } from './runtime.js'
import type { Simulator, SimulatorOptions } from './simulator-server.js'

const USAGE = `Usage: node dist/simulator/main.js llm|runtime|flagd --port P [--host H]

Stand-ins for the services around chat-cutover, with faults set at run time.

  llm      an OpenAI-compatible server (POST …/chat/completions)
  runtime  the agent runtime (POST /api/v1/execute/stream, /api/v1/execute/cancel, GET /health)
  flagd    the flag daemon (see: flagd --help)

  --port P   0 takes a free one
  --host H   default 127.0.0.1
  --help     this text

Faults of llm and runtime: PUT /_faults with JSON, GET /_faults, DELETE /_faults (or PUT {}) clears them.
What they received, oldest first: GET /_requests.

${describeFaults()}
`

const SIMULATORS: Readonly<Record<string, (options: SimulatorOptions) => Promise<Simulator>>> = {
  llm: startLlmSimulator,
  runtime: startRuntimeSimulator,
}

await main(process.argv.slice(2))

async function main([which = '', ...argv]: string[]): Promise<void> {
  try {
    if (which === 'flagd') {
      const { runFlagdCommand } = await import('./flagd-command.js')
      await runFlagdCommand(argv)
      return
    }
    const start = Object.hasOwn(SIMULATORS, which) ? SIMULATORS[which] : undefined
    if (start === undefined || argv.includes('--help')) return usage(which)
    await run(which, start, parsePort(argv))
  } catch (error) {
    process.stderr.write(`simulator: ${errorText(error)}\n`)
    process.exitCode = 1
  }
}

async function run(
  which: string,
  start: (options: SimulatorOptions) => Promise<Simulator>,
  options: SimulatorOptions,
): Promise<void> {
  const simulator = await start(options)
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
  process.stdout.write(`${JSON.stringify({ msg: 'listening', simulator: which, url: simulator.url })}\n`)
}

function parsePort(argv: string[]): SimulatorOptions {
  const { values } = parseArgs({
    args: argv,
    options: { port: { type: 'string' }, host: { type: 'string', default: '127.0.0.1' } },
  })
  const port = Number(values.port)
  if (values.port === undefined || !/^\d+$/.test(values.port) || port > 65_535) {
    throw new Error('--port must be a number from 0 to 65535')
  }
  return { port, host: values.host }
}

function usage(which: string): void {
  const known = Object.hasOwn(SIMULATORS, which) || which === '--help' || which === ''
  if (known) process.stdout.write(USAGE)
  else process.stderr.write(`unknown simulator ${JSON.stringify(which)}\n\n${USAGE}`)
  process.exitCode = known && which !== '' ? 0 : 1
}
