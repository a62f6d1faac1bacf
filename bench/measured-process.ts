import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Usage {
  readonly cpuMicros: number
  readonly rssBytes: number
  /** of them objects of JavaScript */
  readonly heapBytes: number
  /** what V8 holds for them, used or not */
  readonly heldBytes: number
}

/** A process under measurement: it answers its own CPU time and memory over IPC. */
export interface MeasuredProcess {
  readonly url: string
  readonly pid: number
  usage(): Promise<Usage>
  /** collects garbage first, twice */
  settled(): Promise<Usage>
  stop(): Promise<void>
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export function startBare(script: string, ...args: string[]): Promise<MeasuredProcess> {
  return start(['--import', 'tsx', here(`processes/${script}`), ...args], process.env)
}

export function startService(env: Record<string, string>): Promise<MeasuredProcess> {
  return start([here('../dist/main.js')], { PATH: process.env.PATH, ...env })
}

async function start(args: string[], env: NodeJS.ProcessEnv): Promise<MeasuredProcess> {
  const child = spawn(process.execPath, ['--expose-gc', '--import', here('processes/preload.mjs'), ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  const url = await listening(child)
  const ask = async (question: string): Promise<Usage> => {
    child.send(question)
    const [answer] = (await once(child, 'message')) as [Usage]
    return answer
  }
  return {
    url,
    pid: child.pid ?? 0,
    usage: () => ask('usage'),
    settled: () => ask('gc'),
    stop: async () => {
      if (child.exitCode !== null) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

function listening(child: ChildProcess): Promise<string> {
  const { stdout } = child
  if (stdout === null) throw new Error('no standard output')
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`a measured process ended with ${code}`)))
    createInterface({ input: stdout }).on('line', (line) => {
      const entry: { msg?: unknown; url?: unknown } = JSON.parse(line)
      if (entry.msg === 'listening') resolve(String(entry.url))
    })
  })
}
