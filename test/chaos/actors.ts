import { freePort } from '../support/free-port.js'
import { oneFile } from '../support/one-file.js'
import { type RunningProcess, startProcess } from '../support/processes.js'

/** Processes around the service on which anything can happen. */

const SIMULATOR = 'dist/simulator/main.js'
const CALL_MS = 3000

/** Faults of a simulator, as its `PUT /_faults` takes them. */
export type Faults = Readonly<Record<string, unknown>>

/** Where an actor runs, if not as a plain process on this machine's own loopback. */
export interface ActorPlace {
  readonly address: string
  /** a command that becomes the process in the end */
  readonly through: readonly string[]
}

const HERE: ActorPlace = { address: '127.0.0.1', through: [] }

/** A simulated LLM or runtime: a process that can be killed, frozen and made unhealthy, always on the same port. */
export class SimulatedService {
  #process: RunningProcess

  private constructor(
    private readonly which: 'llm' | 'runtime',
    started: RunningProcess,
    /** what holds besides the faults: answers that take a little time */
    private readonly pace: Faults,
    private readonly place: ActorPlace,
  ) {
    this.#process = started
    this.url = started.url
  }

  readonly url: string

  static async start(which: 'llm' | 'runtime', pace: Faults, place = HERE): Promise<SimulatedService> {
    const started = await launch([which, '--port', String(await freePort())], place)
    const service = new SimulatedService(which, started, pace, place)
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
    this.#process = await launch([this.which, '--port', new URL(this.url).port], this.place)
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
    private readonly place: ActorPlace,
  ) {}

  static async start(files: readonly string[], place = HERE): Promise<FlagDaemon> {
    const port = await freePort()
    const started = await launch(daemonArguments(files, String(port)), place)
    return new FlagDaemon(port, files, started, place)
  }

  async kill(): Promise<void> {
    await this.process_.end('SIGKILL')
  }

  async restart(): Promise<void> {
    this.process_ = await launch(daemonArguments(this.files, String(this.port)), this.place)
  }

  /** Every answer takes that much longer. */
  async delay(delayMs: number): Promise<void> {
    const port = this.process_.log.find(({ msg }) => msg === 'listening')?.controlPort
    const answer = await fetch(`http://${this.place.address}:${port}/_faults`, {
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

const launch = async (args: readonly string[], { address, through }: ActorPlace): Promise<RunningProcess> =>
  startProcess([await oneFile(SIMULATOR), ...args, '--host', address], {}, process.cwd(), through)

const daemonArguments = (files: readonly string[], port: string): string[] => [
  'flagd',
  '--port',
  port,
  '--control-port',
  '0',
  ...files.flatMap((file) => ['--flags', file]),
]
