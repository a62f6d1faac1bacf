import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type FlagdSimulator, startFlagdSimulator } from '../../src/simulator/flagd/flagd.js'
import { freePort } from './free-port.js'

const BINARY = process.env.FLAGD_BIN ?? 'flagd'
const READY_MS = 10_000

/** Which flagd the tests run against: the daemon of FLAGD_BIN or the PATH, the simulator where there is none. */
export const flagdKind: 'flagd' | 'simulator' = hasDaemon() ? 'flagd' : 'simulator'

/** A flagd on ports of its own, on which anything can happen to it. */
export interface TestFlagd {
  /** for resolver `in-process` */
  readonly syncPort: number
  /** for resolver `rpc` */
  readonly evaluationPort: number
  /** as by SIGKILL; `start` brings it back on the same ports */
  kill(): Promise<void>
  start(): Promise<void>
  /** as by SIGSTOP: connections stay and nothing is answered */
  freeze(): void
  thaw(): void
  /** Ends it for good. */
  close(): Promise<void>
}

/** Starts it over `files`, watched. */
export async function startTestFlagd(files: readonly string[]): Promise<TestFlagd> {
  const flagd =
    flagdKind === 'flagd'
      ? await realFlagd(files.map((uri) => ({ uri, provider: 'fsnotify' })))
      : simulatedFlagd(files, await freePort())
  await flagd.start()
  return flagd
}

function hasDaemon(): boolean {
  try {
    execFileSync(BINARY, ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function simulatedFlagd(files: readonly string[], port: number): TestFlagd {
  let simulator: FlagdSimulator | undefined
  const kill = async () => {
    await simulator?.close()
    simulator = undefined
  }
  return {
    syncPort: port,
    evaluationPort: port,
    kill,
    start: async () => {
      simulator = await startFlagdSimulator({ files, port })
    },
    freeze: () => simulator?.faults.set({ hang: true }),
    thaw: () => simulator?.faults.set({}),
    close: kill,
  }
}

/** Where a real flagd takes flags from, as its `--sources` names it. */
export interface FlagdSource {
  readonly uri: string
  readonly provider: 'fsnotify' | 'grpc'
}

/** Only where `flagdKind` is `flagd`. It is ready once its sources have answered, which `start` waits for. */
export async function realFlagd(from: readonly FlagdSource[]): Promise<TestFlagd> {
  const [port, syncPort, managementPort, ofrepPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ])
  const sources = JSON.stringify(from)
  let daemon: ChildProcess | undefined
  const kill = async () => {
    if (daemon === undefined) return
    const gone = once(daemon, 'exit')
    daemon.kill('SIGKILL')
    await gone
    daemon = undefined
  }
  return {
    syncPort,
    evaluationPort: port,
    kill,
    start: async () => {
      const ports = ['--port', port, '--sync-port', syncPort, '--management-port', managementPort]
      daemon = spawn(
        BINARY,
        ['start', ...ports.map(String), '--ofrep-port', String(ofrepPort), '--sources', sources],
        {
          stdio: 'ignore',
        },
      )
      await answers(`http://127.0.0.1:${managementPort}/readyz`)
    },
    freeze: () => daemon?.kill('SIGSTOP'),
    thaw: () => daemon?.kill('SIGCONT'),
    close: kill,
  }
}

async function answers(url: string): Promise<void> {
  const giveUpAt = performance.now() + READY_MS
  while (performance.now() < giveUpAt) {
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok === true) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`flagd was not ready after ${READY_MS} ms`)
}
