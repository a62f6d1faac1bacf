import { type RunningProcess, startProcess } from '../support/processes.js'
import { Operator } from './operator.js'

/** One process of the service, as `npm start` runs it; it can be killed and started again. */
export class Replica {
  #process: RunningProcess | undefined
  #operator: Operator | undefined
  readonly #errors: string[] = []

  constructor(
    readonly name: string,
    private readonly environment: Readonly<Record<string, string>>,
    private readonly admin: string,
    /** a command that becomes the process in the end */
    private readonly through: readonly string[] = [],
  ) {}

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  get url(): string {
    return this.#running.url
  }

  get operator(): Operator {
    if (this.#operator === undefined) throw new Error(`replica ${this.name} is not running`)
    return this.#operator
  }

  /** ms from its start until it was ready */
  get startedInMs(): number {
    return this.#running.startedInMs
  }

  get pid(): number {
    return this.#running.pid
  }

  /** parsed lines of the present process */
  get log(): readonly Record<string, unknown>[] {
    return this.#running.log
  }

  /** What it logged as an error, of all its starts. */
  get errors(): readonly string[] {
    return [...this.#errors, ...errorsIn(this.#process?.log ?? [])]
  }

  /** @param nodeOptions e.g. a module to be loaded first */
  async start(nodeOptions: readonly string[] = [], extra: Record<string, string> = {}): Promise<void> {
    const environment = { PORT: '0', LLM_MODEL: 'simulated', ...this.environment, ...extra }
    this.#process = await startProcess(
      [...nodeOptions, 'dist/main.js'],
      environment,
      process.cwd(),
      this.through,
    )
    this.#operator = new Operator(this.#process.url, this.admin)
  }

  async kill(): Promise<void> {
    await this.#process?.end('SIGKILL')
    this.#forget()
  }

  /** SIGTERM; the exit code, or how else it ended. */
  async stop(): Promise<number | string> {
    const code = await this.#process?.end('SIGTERM')
    this.#forget()
    return code ?? 'it was not running'
  }

  /** Ends when it is gone by itself. */
  async ended(): Promise<void> {
    await this.#process?.ended
    this.#forget()
  }

  #forget(): void {
    this.#errors.push(...errorsIn(this.#process?.log ?? []))
    this.#process = undefined
    this.#operator = undefined
  }

  get #running(): RunningProcess {
    if (this.#process === undefined) throw new Error(`replica ${this.name} is not running`)
    return this.#process
  }
}

const errorsIn = (log: readonly Record<string, unknown>[]): string[] =>
  log.filter(({ level }) => level === 'error').map((line) => JSON.stringify(line).slice(0, 200))
