import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FlagdProvider } from '@openfeature/flagd-provider'
import {
  type EvaluationContext,
  type JsonValue,
  ProviderEvents,
  type ResolutionDetails,
} from '@openfeature/server-sdk'
import { errorCode } from '../../src/core/errors.js'
import {
  type FlagdSimulator,
  type FlagdSimulatorOptions,
  startFlagdSimulator,
} from '../../src/simulator/flagd/flagd.js'

export const RESOLVERS = ['in-process', 'rpc'] as const
export type Resolver = (typeof RESOLVERS)[number]

const DEADLINE_MS = 8000
const quiet = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }

/** Rejects when `promise` takes longer than any healthy run does. */
export function within<T>(promise: Promise<T>, what: string, ms = DEADLINE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** A flag document with one string flag for each entry, its default variant named. */
export function stringFlags(values: Record<string, string>, extra: object = {}): string {
  const flags = Object.entries(values).map(([key, value]) => [key, stringFlag(value)])
  return JSON.stringify({ flags: Object.fromEntries(flags), ...extra })
}

export const stringFlag = (value: string) => ({
  state: 'ENABLED',
  variants: { [value]: value },
  defaultVariant: value,
})

/** The real provider, without a cache and with the settings the project uses, and what it told. */
export class ProviderProbe {
  /** keys of each PROVIDER_CONFIGURATION_CHANGED, oldest first */
  readonly changes: string[][] = []
  connected = false
  readonly port: number
  readonly #provider: FlagdProvider
  #waiters: (() => void)[] = []

  constructor(port: number, resolver: Resolver) {
    this.port = port
    this.#provider = new FlagdProvider(
      {
        host: '127.0.0.1',
        port,
        resolverType: resolver,
        cache: 'disabled',
        streamDeadlineMs: 0,
        retryBackoffMs: 100,
        retryBackoffMaxMs: 200,
      },
      quiet,
    )
    const { events } = this.#provider
    events.addHandler(ProviderEvents.Ready, () => this.#note(() => this.#setConnected(true)))
    events.addHandler(ProviderEvents.Stale, () => this.#note(() => this.#setConnected(false)))
    events.addHandler(ProviderEvents.ConfigurationChanged, (details) =>
      this.#note(() => this.changes.push(keysOf(details))),
    )
  }

  async start(): Promise<void> {
    await within(this.#provider.initialize(), 'initialize')
    this.connected = true
  }

  /** Ends when `condition` holds; looked at after every event of the provider. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const met = async () => {
      while (!condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve))
    }
    await within(met(), what)
  }

  string(key: string, context: EvaluationContext = {}): Promise<ResolutionDetails<string>> {
    return within(this.#provider.resolveStringEvaluation(key, 'code default', context, quiet), key)
  }

  boolean(key: string, context: EvaluationContext = {}): Promise<ResolutionDetails<boolean>> {
    return within(this.#provider.resolveBooleanEvaluation(key, false, context, quiet), key)
  }

  number(key: string, context: EvaluationContext = {}): Promise<ResolutionDetails<number>> {
    return within(this.#provider.resolveNumberEvaluation(key, -1, context, quiet), key)
  }

  object(key: string, context: EvaluationContext = {}): Promise<ResolutionDetails<JsonValue>> {
    const fallback: JsonValue = { code: 'default' }
    return within(this.#provider.resolveObjectEvaluation(key, fallback, context, quiet), key)
  }

  /** The value or, where the provider throws or reports one, the error code. */
  async outcome(evaluation: Promise<ResolutionDetails<unknown>>): Promise<unknown> {
    try {
      const { value, errorCode } = await evaluation
      return errorCode ?? value
    } catch (error) {
      return errorCode(error) ?? error
    }
  }

  /** Waits for the connection first: closed while it reconnects, the provider would go on for ever. */
  async close(): Promise<void> {
    await this.until('connected before close', () => this.connected)
    await this.#provider.onClose()
  }

  #setConnected(connected: boolean): void {
    this.connected = connected
  }

  #note(change: () => void): void {
    change()
    for (const wake of this.#waiters.splice(0)) wake()
  }
}

const keysOf = (details: object | undefined): string[] =>
  details !== undefined && 'flagsChanged' in details && Array.isArray(details.flagsChanged)
    ? details.flagsChanged.map(String).sort()
    : []

/** Flag files of their own, simulators and providers for one test; `close` frees all of it. */
export class FlagdFixture {
  readonly directory = mkdtempSync(join(tmpdir(), 'flagd-'))
  readonly #simulators: FlagdSimulator[] = []
  readonly #probes: ProviderProbe[] = []

  /** Writes by rename, as a careful editor does, and gives the path. */
  write(name: string, text: string): string {
    const file = join(this.directory, name)
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
    return file
  }

  async simulator(options: Partial<FlagdSimulatorOptions> & { files: string[] }): Promise<FlagdSimulator> {
    const simulator = await startFlagdSimulator(options)
    this.#simulators.push(simulator)
    return simulator
  }

  /** A provider that is connected already. */
  async provider(simulator: FlagdSimulator, resolver: Resolver): Promise<ProviderProbe> {
    const probe = this.unconnected(simulator.port, resolver)
    await probe.start()
    return probe
  }

  unconnected(port: number, resolver: Resolver): ProviderProbe {
    const probe = new ProviderProbe(port, resolver)
    this.#probes.push(probe)
    return probe
  }

  both(simulator: FlagdSimulator): Promise<ProviderProbe[]> {
    return Promise.all(RESOLVERS.map((resolver) => this.provider(simulator, resolver)))
  }

  async close(): Promise<void> {
    for (const simulator of this.#simulators) simulator.faults.set({})
    await this.#rescue()
    try {
      await Promise.all(this.#probes.map((probe) => probe.close()))
    } finally {
      await Promise.all(this.#simulators.map((simulator) => simulator.close()))
      rmSync(this.directory, { recursive: true, force: true })
    }
  }

  /** A test that failed half-way may have left a provider without a server, and it would reconnect for ever. */
  async #rescue(): Promise<void> {
    const files = [this.write('rescue.json', '{"flags": {}}')]
    for (const { port } of this.#probes.filter(({ connected }) => !connected)) {
      await this.simulator({ files, port }).catch(() => undefined)
    }
  }
}

/** A fixture for each test of the surrounding `describe`. */
export function useFlagd(): () => FlagdFixture {
  let fixture: FlagdFixture
  beforeEach(() => {
    fixture = new FlagdFixture()
  })
  afterEach(() => fixture.close())
  return () => fixture
}
