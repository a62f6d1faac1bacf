import { freePort } from '../support/free-port.js'
import { type RunningProcess, startProcess } from '../support/processes.js'

/** Processes around the service on which anything can happen. */

const SIMULATOR = 'dist/simulator/main.js'
const CALL_MS = 3000

/** Faults of a simulator, as its `PUT /_faults` takes them. */
export type Faults = Readonly<Record<string, unknown>>

/** A simulated LLM or runtime: a process that can be killed, frozen and made unhealthy, always on the same port. */
export class SimulatedService {
  #process: RunningProcess

  private constructor(
    private readonly which: 'llm' | 'runtime',
    started: RunningProcess,
    /** what holds besides the faults: answers that take a little time */
    private readonly pace: Faults,
  ) {
    this.#process = started
    this.url = started.url
  }

  readonly url: string

  static async start(which: 'llm' | 'runtime', pace: Faults): Promise<SimulatedService> {
    const port = String(await freePort())
    const service = new SimulatedService(which, await startProcess([SIMULATOR, which, '--port', port]), pace)
    await service.set({})
    return service
  }

  async set(faults: Faults): Promise<void> {
    const response = await fetch(`${this.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...this.pace, ...faults }),
      signal: AbortSignal.timeout(CALL_MS),
    })
    if (!response.ok) throw new Error(`faults of ${this.which}: ${await response.text()}`)
    await response.text()
  }

  /** SIGKILL; gives the instant (`performance.now()`). */
  kill(): number {
    const at = performance.now()
    void this.#process.end('SIGKILL')
    return at
  }

  /** Again, on the same port. */
  async restart(): Promise<void> {
    await this.#process.ended
    this.#process = await startProcess([SIMULATOR, this.which, '--port', new URL(this.url).port])
    await this.set({})
  }

  freeze(): void {
    process.kill(this.#process.pid, 'SIGSTOP')
  }

  thaw(): void {
    process.kill(this.#process.pid, 'SIGCONT')
  }

  async close(): Promise<void> {
    await this.#process.end('SIGKILL')
  }
}

/** A flagd of its own over two files: the simulated daemon as a process. */
export class FlagDaemon {
  private constructor(
    readonly port: number,
    private readonly files: readonly string[],
    private process_: RunningProcess,
  ) {}

  static async start(files: readonly string[]): Promise<FlagDaemon> {
    const port = await freePort()
    return new FlagDaemon(port, files, await startProcess(daemonArguments(files, String(port))))
  }

  async kill(): Promise<void> {
    await this.process_.end('SIGKILL')
  }

  async restart(): Promise<void> {
    this.process_ = await startProcess(daemonArguments(this.files, String(this.port)))
  }

  /** Every answer takes that much longer. */
  async delay(delayMs: number): Promise<void> {
    const port = this.process_.log.find(({ msg }) => msg === 'listening')?.controlPort
    const answer = await fetch(`http://127.0.0.1:${port}/_faults`, {
      method: 'PUT',
      body: JSON.stringify({ delayMs }),
    })
    if (!answer.ok) throw new Error(`flagd's faults: HTTP ${answer.status}`)
  }

  freeze(): void {
    process.kill(this.process_.pid, 'SIGSTOP')
  }

  thaw(): void {
    process.kill(this.process_.pid, 'SIGCONT')
  }

  async close(): Promise<void> {
    await this.process_.end('SIGKILL')
  }
}

const daemonArguments = (files: readonly string[], port: string): string[] => [
  SIMULATOR,
  'flagd',
  '--port',
  port,
  '--control-port',
  '0',
  ...files.flatMap((file) => ['--flags', file]),
]
