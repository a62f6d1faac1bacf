import { parseArgs } from 'node:util'
import { z } from 'zod'
import { errorText } from '../core/errors.js'
import { createLogger } from '../core/logger.js'
import { type FlagdSimulatorOptions, startFlagdSimulator } from './flagd/flagd.js'

const DEFAULT_FILES = ['flags/chat.flagd.json', 'flags/auto-fallback.flagd.json']

const HELP = `Usage: node dist/simulator/main.js flagd --port P [options]

A stand-in for the flagd daemon: its evaluation (v2) and sync services on one gRPC port.

  --port P           gRPC port for both FLAGD_RESOLVER=rpc and in-process; 0 takes a free one
  --host H           address of both ports (default 127.0.0.1)
  --control-port C   HTTP port of /_faults, /healthz and /readyz (default P + 1; with --port 0 a free one)
  --flags FILE       a flag file, again for each further one (default ${DEFAULT_FILES.join(' and ')})
  --sources JSON     flag files as flagd takes them: [{"uri":"FILE","provider":"fsnotify"}, ...]
  --help             this text

Faults: PUT /_faults with any of {"hang":true,"unavailable":true,"delayMs":0,"dropWatch":true,"refuse":true};
what is left out is off. GET shows them, DELETE takes all back.
`

/**
 * The command `flagd` of the simulators. Prints one JSON line when it listens and ends at once on SIGTERM or SIGINT;
 * a fault of the arguments, a missing flag file or a taken port is one line on standard error and exit code 1.
 */
export async function runFlagdCommand(argv: string[]): Promise<void> {
  try {
    const options = parseFlagdArguments(argv)
    if (options === undefined) return void process.stdout.write(HELP)
    const simulator = await startFlagdSimulator({ ...options, logger: createLogger('warn') })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0))
    const { url, port, controlPort } = simulator
    const line = { msg: 'listening', simulator: 'flagd', url, port, controlPort }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  } catch (error) {
    process.stderr.write(`flagd simulator: ${errorText(error)}\n`)
    process.exitCode = 1
  }
}

/** The options of the command line; `undefined` when help is asked for. Throws what is wrong. */
export function parseFlagdArguments(argv: string[]): FlagdSimulatorOptions | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      port: { type: 'string' },
      host: { type: 'string', default: '127.0.0.1' },
      'control-port': { type: 'string' },
      flags: { type: 'string', multiple: true, default: [] },
      sources: { type: 'string', default: '[]' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const port = portNumber('--port', values.port)
  const control = values['control-port'] ?? String(port === 0 ? 0 : port + 1)
  const controlPort = portNumber('--control-port', control)
  const files = [...values.flags, ...sourceFiles(values.sources)]
  return { host: values.host, port, controlPort, files: files.length === 0 ? DEFAULT_FILES : files }
}

function portNumber(option: string, text: string | undefined): number {
  if (text === undefined) throw new Error(`${option} is required`)
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new Error(`${option} must be a port (0 to 65535), not "${text}"`)
  return port
}

const sourcesSchema = z.array(
  z.looseObject({ uri: z.string().min(1), provider: z.enum(['fsnotify', 'file']) }),
)

/** flagd's `--sources`; only files, which here are always followed at once. */
function sourceFiles(text: string): string[] {
  const sources = sourcesSchema.safeParse(parseJson(text))
  if (sources.success) return sources.data.map(({ uri }) => uri)
  const issue = sources.error.issues[0]
  throw new Error(`--sources: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('--sources must be JSON')
  }
}
