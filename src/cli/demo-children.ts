import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { bounded } from '../core/bounded.js'
import { systemClock } from '../core/clock.js'
import { LOG_LEVELS } from '../core/logger.js'

/** The processes of the demo: service and simulators. */

/** ms until a process listens, or answers the first turn */
export const START_TIMEOUT_MS = 15_000
const LEVELS: readonly unknown[] = LOG_LEVELS

export interface Child {
  readonly process: ChildProcess
  readonly url: string
}

/**
 * What the service logs, and which of its lines the demo passes on. The service always logs `info`, because the demo waits for its
 * line `listening`. A level that does not exist goes to the service, which refuses it.
 */
export function serviceLog(asked: string): Pick<Start, 'passesOn'> & { readonly level: string } {
  const rank = (level: unknown): number => LEVELS.indexOf(level)
  if (rank(asked) <= rank('info')) return { level: asked, passesOn: () => true }
  return { level: 'info', passesOn: (line) => rank(entryOf(line)?.level) >= rank(asked) }
}

export interface Start {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** whether a line of its standard output goes to our standard error */
  readonly passesOn: (line: string) => boolean
}

/** Starts a process, puts it into `children` at once, and waits for its line `listening`. Its other lines go to stderr. */
export async function startChild(
  name: string,
  { args, env, passesOn }: Start,
  children: ChildProcess[],
): Promise<Child> {
  const child = spawn(process.execPath, [...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const listening = new Promise<Child>((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`the ${name} ended with exit code ${code}`))
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = listeningUrl(line)
      if (url !== undefined) resolve({ process: child, url })
      else if (passesOn(line)) process.stderr.write(`[${name}] ${line}\n`)
    })
  })
  const started = await bounded(listening, START_TIMEOUT_MS, systemClock)
  if (started === 'late') throw new Error(`the ${name} did not start in time`)
  return started
}

function listeningUrl(line: string): string | undefined {
  const entry = entryOf(line)
  return entry?.msg === 'listening' && typeof entry.url === 'string' ? entry.url : undefined
}

/** The line of a log; undefined for other text. */
function entryOf(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const entry: unknown = JSON.parse(line)
    return typeof entry === 'object' && entry !== null ? { ...entry } : undefined
  } catch {
    return undefined
  }
}

export function freePort(preferred: number): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(0))
    probe.listen(preferred, '127.0.0.1', () => probe.close(() => resolve(preferred)))
  })
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
  return new Promise((resolve) => child.once('exit', () => resolve()))
}
