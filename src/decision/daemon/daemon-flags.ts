import { type Client, ProviderEvents, ProviderStatus } from '@openfeature/server-sdk'
import type { Config } from '../../config.js'
import { bounded } from '../../core/bounded.js'
import type { ChatLimits } from '../../limits/chat-limits.js'
import { type Caller, evaluationContext, NOBODY } from '../caller.js'
import { type ChangeListener, ChangeListeners } from '../change-listeners.js'
import type { TurnDefaults } from '../code-defaults.js'
import type { FlagFile } from '../file/flag-file.js'
import { monitorFlagFile } from '../file/flag-file-monitor.js'
import { FlagFaults } from '../flag-faults.js'
import {
  FLAG_KEYS,
  FLAGS_OF_FILE,
  type FlagFileKind,
  type FlagKey,
  type Flags,
  type FlagsDeps,
  type FlagsOrigin,
  type FlagsStatus,
  type ServiceFlags,
  type TurnFlags,
} from '../flags.js'
import { type BoundClient, bindProvider } from '../sdk-client.js'
import { START_BOUND_MS } from '../start-bound.js'
import { KeptFlags } from '../values/kept-flags.js'
import { LimitValues } from '../values/limit-values.js'
import { RefusedFlags } from '../values/refused-flags.js'
import { evaluateService, type ServiceAnswers, serviceDetails } from '../values/service-flag-reader.js'
import { ServiceFlagValues } from '../values/service-flag-values.js'
import {
  allDetails,
  evaluateLimits,
  evaluateTurn,
  type TurnDetails,
  type TurnEvaluations,
} from '../values/turn-flag-reader.js'
import { type AnswerContext, TurnFlagValues } from '../values/turn-flag-values.js'
import { lateText } from './answer-budget.js'
import { DaemonContent } from './daemon-content.js'
import type { FlagdConnection } from './flagd-providers.js'
import { limitsInTime } from './limits-in-time.js'
import { RpcTurns } from './rpc-turns.js'

/** Resolvers `in-process` and `rpc`: flags from a flagd, which may be dead, silent or without flags of ours. */
export class DaemonFlags implements Flags {
  readonly #address: string
  readonly #faults: FlagFaults
  readonly #refused: RefusedFlags
  readonly #content: DaemonContent
  readonly #kept: KeptFlags
  readonly #flagValues: TurnFlagValues
  readonly #service: ServiceFlagValues
  readonly #limits: LimitValues
  readonly #listeners: ChangeListeners
  readonly #files: readonly FlagFile[]
  readonly #rpc: RpcTurns | undefined
  #connection: FlagdConnection | undefined
  #bound: BoundClient | undefined
  #client: Client | undefined
  #started = false
  #closed = false
  /** connected (again), and the listeners were not told yet: flags may have changed meanwhile */
  #returned = false

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
    this.#content = new DaemonContent(this.#address, this.#faults)
    this.#listeners = new ChangeListeners(logger)
    const answers: AnswerContext = {
      // An answer by rpc is fresh; in-process goes on answering from what it took last.
      isStale: () => resolver === 'in-process' && (!this.#isConnected() || this.#content.refused),
      whenAbsent: (overrideFound) =>
        overrideFound && (resolver === 'in-process' || this.#isConnected()) ? 'default' : 'away',
    }
    this.#kept = new KeptFlags(deps.kept, clock)
    this.#flagValues = new TurnFlagValues(defaults, answers, this.#refused, this.#kept)
    this.#service = new ServiceFlagValues(defaults, answers, this.#refused)
    // A flagd that serves nothing of ours has not taken this flag away.
    const whenNoLimits = () => answers.whenAbsent(this.#content.served, FLAG_KEYS.limits)
    this.#limits = new LimitValues(whenNoLimits, this.#refused, this.#kept)
    this.#files = [
      // By rpc the flags themselves are never seen: where flagd reads them on this machine, the file is what can be kept.
      monitorFlagFile(deps.documents?.ops ?? config.opsFile, 'ops', clock, this.#faults, (text) => {
        if (resolver === 'rpc') this.#kept.keep(text)
      }),
      monitorFlagFile(deps.documents?.override ?? config.overrideFile, 'override', clock, this.#faults),
    ]
    this.#rpc = resolver === 'rpc' ? this.#createRpcTurns() : undefined
  }

  async start(): Promise<void> {
    // flagd's provider brings gRPC: loaded only where flags come from a flagd.
    const { connectFlagd } = await import('./flagd-providers.js')
    if (this.#closed) return
    const files = Promise.all(this.#files.map((file) => file.start()))
    this.#connection = connectFlagd(this.resolver, this.config.flagd, (refusal, text) => {
      if (this.#closed) return
      this.#content.configurationCame(refusal)
      if (refusal === undefined) this.#kept.keepAmong(text)
    })
    this.#bound = bindProvider(this.#connection.provider, (client) => this.#listen(client))
    const ready = this.#bound.initialised.then(() => this.#firstLook())
    const kept = this.#kept.load().then(() => this.#service.startFrom(this.#kept))
    await bounded(Promise.all([files, ready, kept]), START_BOUND_MS, this.deps.clock)
    this.#started = true
    void kept.then(() => this.#tellKept())
    if (!this.#isConnected()) this.#unreachable()
  }

  async forTurn(caller: Caller): Promise<TurnFlags> {
    if (this.#client === undefined || this.#closed) return this.#flagValues.recall(caller)
    if (this.#rpc !== undefined) return this.#rpc.forTurn(caller)
    return this.#flagValues.resolve(caller, await allDetails(this.#evaluate(this.#client, caller)))
  }

  async limitsFor(orgId: string): Promise<ChatLimits> {
    const current = this.#limits.current(orgId)
    if (current !== undefined) return current
    if (this.#client === undefined || this.#closed || this.#rpc?.away === true)
      return this.#limits.recall(orgId)
    return limitsInTime(this.#limits, orgId, evaluateLimits(this.#client, orgId), {
      clock: this.deps.clock,
      isClosed: () => this.#closed,
    })
  }

  async forService(): Promise<ServiceFlags> {
    const answers = await this.#serviceAnswers()
    return this.#service.resolve(answers, !this.#closed && this.#isThere())
  }

  onChange(listener: ChangeListener): () => void {
    return this.#listeners.add(listener)
  }

  origin(): FlagsOrigin {
    return this.#kept.origin(this.#content.known)
  }

  #tellKept(): void {
    this.#faults.replace('kept', this.#kept.fault(this.#address, this.#content.known))
  }

  status(): FlagsStatus {
    const faults = this.#faults.list()
    return { resolver: this.resolver, state: this.#state(faults.length > 0), faults }
  }

  codeDefaults(): ReadonlyMap<FlagKey, number> {
    return this.#flagValues.codeDefaults
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#kept.close()
    this.#listeners.clear()
    this.#rpc?.close()
    await Promise.all([...this.#files.map((file) => file.close()), this.#connection?.close()])
    this.#bound?.unbind()
  }

  #state(isFaulty: boolean): FlagsStatus['state'] {
    if (!this.#started) return 'starting'
    if (!this.#isThere() || !this.#content.served)
      return this.#content.known || this.origin() === 'kept' ? 'stale' : 'unavailable'
    return isFaulty ? 'stale' : 'ready'
  }

  #isConnected(): boolean {
    return this.#client?.providerStatus === ProviderStatus.READY
  }

  /** ... and, by rpc, it answers: a silent flagd stays connected for many seconds. */
  #isThere(): boolean {
    return this.#isConnected() && this.#rpc?.away !== true
  }

  async #serviceAnswers(): Promise<ServiceAnswers> {
    const client = this.#client
    if (client === undefined || this.#closed) return {}
    const evaluate = () => evaluateService(client, this.defaults)
    return this.#rpc === undefined ? serviceDetails(evaluate()) : this.#rpc.forService(evaluate)
  }

  #evaluate(client: Client, caller: Caller): TurnEvaluations {
    return evaluateTurn(client, this.defaults, caller.orgId, evaluationContext(caller))
  }

  #createRpcTurns(): RpcTurns {
    return new RpcTurns({
      clock: this.deps.clock,
      flagValues: this.#flagValues,
      evaluate: (caller) => {
        if (this.#client === undefined) throw new Error('the flags are not started')
        return this.#evaluate(this.#client, caller)
      },
      isConnected: () => this.#isConnected(),
      onAway: () => this.#unreachable(),
      onLate: (isLate) => this.#late(isLate),
      onAnswer: (details, wasAway) => {
        this.#faults.replace('daemon', [])
        this.#answered(details, wasAway)
      },
    })
  }

  #listen(client: Client): void {
    this.#client = client
    client.addHandler(ProviderEvents.Ready, () => {
      this.#returned = true
      this.#flagValues.flagsChanged([])
      this.#limits.flagsChanged([])
      void this.#look()
    })
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

  #late(isLate: boolean): void {
    if (this.#closed) return
    this.#faults.replace('late', isLate ? [{ where: this.#address, message: lateText('flagd') }] : [])
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
    this.#answered(await allDetails(this.#evaluate(this.#client, NOBODY)), false)
  }

  #changed(keys: readonly string[]): void {
    if (this.#closed) return
    this.#refused.flagsChanged()
    this.#flagValues.flagsChanged(keys)
    this.#limits.flagsChanged(keys)
    const byFile = new Map<string, string[]>()
    for (const key of keys) {
      const file = this.#nameOf(FLAGS_OF_FILE.override.has(key) ? 'override' : 'ops')
      byFile.set(file, [...(byFile.get(file) ?? []), key])
    }
    for (const [file, flags] of byFile)
      this.deps.logger.info({ file, flags, source: this.#address }, '[Flags] changed')
    this.#listeners.tell(keys)
    if (this.#rpc === undefined || !this.#rpc.away) void this.#look()
  }

  #nameOf(kind: FlagFileKind): string {
    const { opsFile, overrideFile } = this.config
    return this.deps.documents?.[kind]?.name ?? (kind === 'ops' ? opsFile : overrideFile)
  }

  /** What flagd, or the provider in its place, answered for nobody in particular. */
  #answered(details: TurnDetails, wasAway: boolean): void {
    if (this.#closed) return
    this.#content.inspect(details)
    if (this.#content.known) this.#tellKept()
    this.#flagValues.resolve(NOBODY, details)
    if (!this.#returned && !wasAway) return
    this.#returned = false
    this.#listeners.tell([])
  }
}
