import { type Client, ErrorCode, ProviderEvents, ProviderStatus } from '@openfeature/server-sdk'
import type { Config } from '../config.js'
import { type Caller, evaluationContext } from './caller.js'
import type { TurnDefaults } from './code-defaults.js'
import { FlagFaults } from './flag-faults.js'
import type { FlagFile } from './flag-file.js'
import { monitorFlagFile } from './flag-file-monitor.js'
import { connectFlagd, type FlagdConnection } from './flagd-providers.js'
import {
  FLAG_KEYS,
  FLAGS_OF_FILE,
  type Flags,
  type FlagsDeps,
  type FlagsStatus,
  type ServiceFlags,
  type TurnFlags,
} from './flags.js'
import { RefusedFlags } from './refused-flags.js'
import { PROBE, RpcTurns } from './rpc-turns.js'
import { type BoundClient, bindProvider } from './sdk-client.js'
import { START_BOUND_MS, within } from './start-bound.js'
import { allDetails, evaluateTurn, type TurnDetails, type TurnEvaluations } from './turn-reader.js'
import { TurnSettler } from './turn-settler.js'

/** Resolvers `in-process` and `rpc`: flags from a flagd, which may be dead, silent or without flags of ours. */
export class DaemonFlags implements Flags {
  readonly #address: string
  readonly #faults: FlagFaults
  readonly #refused: RefusedFlags
  readonly #settler: TurnSettler
  readonly #files: readonly FlagFile[]
  readonly #rpc: RpcTurns | undefined
  #connection: FlagdConnection | undefined
  #bound: BoundClient | undefined
  #client: Client | undefined
  #started = false
  #closed = false
  /** flags of ours were among what flagd has, when it was last looked at, and ever */
  #served = false
  #known = false

  constructor(
    private readonly resolver: 'in-process' | 'rpc',
    private readonly config: Config['flags'],
    private readonly defaults: TurnDefaults,
    private readonly deps: FlagsDeps,
  ) {
    const { clock, logger } = deps
    this.#address = `flagd ${config.flagd.host}:${config.flagd.port}`
    this.#faults = new FlagFaults(clock, logger)
    this.#refused = new RefusedFlags(this.#faults, clock)
    this.#settler = new TurnSettler(
      defaults,
      {
        // An answer by rpc is fresh; in-process goes on answering from what the daemon sent last.
        isStale: () => resolver === 'in-process' && !this.#isConnected(),
        whenAbsent: (overrideFound) =>
          overrideFound && (resolver === 'in-process' || this.#isConnected()) ? 'default' : 'away',
      },
      this.#refused,
    )
    this.#files = [
      monitorFlagFile(config.opsFile, 'ops', clock, this.#faults),
      monitorFlagFile(config.overrideFile, 'override', clock, this.#faults),
    ]
    this.#rpc = resolver === 'rpc' ? this.#createRpcTurns() : undefined
  }

  async start(): Promise<void> {
    const files = Promise.all(this.#files.map((file) => file.start()))
    this.#connection = connectFlagd(this.resolver, this.config.flagd)
    this.#bound = bindProvider(this.#connection.provider, (client) => this.#listen(client))
    const ready = this.#bound.initialised.then(() => this.#firstLook())
    await within(Promise.all([files, ready]), START_BOUND_MS, this.deps.clock)
    this.#started = true
    if (!this.#isConnected()) this.#unreachable()
  }

  async forTurn(caller: Caller): Promise<TurnFlags> {
    if (this.#client === undefined || this.#closed) return this.#settler.recall(caller)
    if (this.#rpc !== undefined) return this.#rpc.forTurn(caller)
    return this.#settler.settle(caller, await allDetails(this.#evaluate(this.#client, caller)))
  }

  async forService(): Promise<ServiceFlags> {
    const { guardrails } = await this.forTurn(PROBE)
    return { guardrails, policy: 'auto', ready: this.#isConnected() }
  }

  onChange(_listener: (keys: readonly string[]) => void): () => void {
    return () => {}
  }

  status(): FlagsStatus {
    const faults = this.#faults.list()
    return { resolver: this.resolver, state: this.#state(faults.length > 0), faults }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#rpc?.close()
    await Promise.all([...this.#files.map((file) => file.close()), this.#connection?.close()])
    this.#bound?.unbind()
  }

  #state(isFaulty: boolean): FlagsStatus['state'] {
    if (!this.#started) return 'starting'
    const isThere = this.#isConnected() && this.#served && this.#rpc?.away !== true
    if (!isThere) return this.#known ? 'stale' : 'unavailable'
    return isFaulty ? 'stale' : 'ready'
  }

  #isConnected(): boolean {
    return this.#client?.providerStatus === ProviderStatus.READY
  }

  #evaluate(client: Client, caller: Caller): TurnEvaluations {
    return evaluateTurn(client, this.defaults, caller.orgId, evaluationContext(caller))
  }

  #createRpcTurns(): RpcTurns {
    return new RpcTurns({
      clock: this.deps.clock,
      settler: this.#settler,
      evaluate: (caller) => {
        if (this.#client === undefined) throw new Error('the flags are not started')
        return this.#evaluate(this.#client, caller)
      },
      isConnected: () => this.#isConnected(),
      onAway: () => this.#unreachable(),
      onAnswer: (details) => {
        this.#faults.replace('daemon', [])
        this.#inspect(details)
      },
    })
  }

  #listen(client: Client): void {
    this.#client = client
    client.addHandler(ProviderEvents.Ready, () => void this.#look())
    client.addHandler(ProviderEvents.Stale, () => this.#lost())
    client.addHandler(ProviderEvents.Error, () => this.#lost())
    client.addHandler(ProviderEvents.ConfigurationChanged, (event) =>
      this.#changed(event?.flagsChanged ?? []),
    )
  }

  #lost(): void {
    if (this.#closed) return
    this.#unreachable()
    this.#rpc?.leave()
  }

  #unreachable(): void {
    if (this.#closed) return
    const message = 'flagd does not answer; last known good values are in force, then code defaults'
    this.#faults.replace('daemon', [{ where: this.#address, message }])
  }

  async #firstLook(): Promise<void> {
    if (this.#isConnected()) await this.#look()
  }

  /** Connected (again): are there flags of ours, and good ones? By rpc the probe finds out. */
  async #look(): Promise<void> {
    if (this.#closed || this.#client === undefined) return
    this.#connection?.connected()
    this.#refused.flagsChanged()
    if (this.#rpc !== undefined) return this.#rpc.probe()
    this.#faults.replace('daemon', [])
    this.#inspect(await allDetails(this.#evaluate(this.#client, PROBE)))
  }

  #changed(keys: readonly string[]): void {
    if (this.#closed) return
    this.#refused.flagsChanged()
    const byFile = new Map<string, string[]>()
    for (const key of keys) {
      const file = FLAGS_OF_FILE.override.has(key) ? this.config.overrideFile : this.config.opsFile
      byFile.set(file, [...(byFile.get(file) ?? []), key])
    }
    for (const [file, flags] of byFile)
      this.deps.logger.info({ file, flags, source: this.#address }, '[Flags] changed')
    if (this.#rpc === undefined || !this.#rpc.away) void this.#look()
  }

  /** READY says nothing about flags: a configuration refused as a whole leaves the provider READY and empty. */
  #inspect(details: TurnDetails): void {
    if (this.#closed) return
    const answers = Object.values(details)
    const isMissing = ({ errorCode }: { errorCode?: ErrorCode }) => errorCode === ErrorCode.FLAG_NOT_FOUND
    this.#served = !answers.every(isMissing)
    this.#known ||= this.#served
    const inForce = 'last known good values are in force, then code defaults'
    if (!this.#served)
      this.#faults.replace('content', [
        {
          where: this.#address,
          message: `it serves none of this service's flags (its sources, or one refused as a whole?); ${inForce}`,
        },
      ])
    else if (isMissing(details.override))
      this.#faults.replace('content', [
        { where: this.#address, message: `it does not serve "${FLAG_KEYS.override}"; ${inForce}` },
      ])
    else this.#faults.replace('content', [])
    this.#settler.settle(PROBE, details)
  }
}
