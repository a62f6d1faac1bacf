import { type Client, ProviderEvents, ProviderStatus } from '@openfeature/server-sdk'
import type { Config } from '../../config.js'
import { bounded } from '../../core/bounded.js'
import type { Timer } from '../../core/clock.js'
import type { ChatLimits } from '../../limits/chat-limits.js'
import { type Caller, evaluationContext, NOBODY } from '../caller.js'
import { type ChangeListener, ChangeListeners } from '../change-listeners.js'
import type { TurnDefaults } from '../code-defaults.js'
import { lateText } from '../daemon/answer-budget.js'
import { limitsInTime } from '../daemon/limits-in-time.js'
import { RpcTurns } from '../daemon/rpc-turns.js'
import { FileProvider } from '../file/file-provider.js'
import { FlagFaults } from '../flag-faults.js'
import {
  FLAG_KEYS,
  FLAGS_OF_FILE,
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
import { evaluatePolicy, evaluateService, type ServiceAnswers } from '../values/service-flag-reader.js'
import { ServiceFlagValues } from '../values/service-flag-values.js'
import {
  evaluateLimits,
  evaluateTurn,
  type FlagReader,
  type TurnAnswers,
  type TurnDetails,
} from '../values/turn-flag-reader.js'
import { TurnFlagValues } from '../values/turn-flag-values.js'
import { routedReader } from './provider-answers.js'
import { ProviderConnection } from './provider-connection.js'
import { documentToKeep, OWN_FLAGS, servesFlags } from './provider-content.js'
import { loadProviderModule, type ProviderExport } from './provider-module.js'

/** ms between two looks at a provider: it need not tell when its flags change */
const LOOK_MS = 5_000
const IN_FORCE = 'last known good values are in force, then code defaults'

type ProviderModule = NonNullable<Config['flags']['providerModule']>

/**
 * The operators' flags by a provider of the operators' choice; the override and the rollout by the file or document of this
 * service. The provider may fail, hang or know no flag of ours: no turn waits for it longer than 50 ms.
 */
export class ProviderFlags implements Flags {
  readonly #where: string
  readonly #faults: FlagFaults
  readonly #refused: RefusedFlags
  readonly #kept: KeptFlags
  readonly #flagValues: TurnFlagValues
  readonly #service: ServiceFlagValues
  readonly #limits: LimitValues
  readonly #listeners: ChangeListeners
  readonly #ownProvider: FileProvider
  readonly #turns: RpcTurns
  #own: BoundClient | undefined
  #reader: FlagReader | undefined
  #connection: ProviderConnection | undefined
  #nextLook: Timer | undefined
  #started = false
  #closed = false
  /** the provider was READY once, and says now that it is not */
  #isFailing = false
  #wasReady = false
  /** flags of ours were among what the provider has when it was last looked at, or ever */
  #served = false
  #known = false

  constructor(
    private readonly module: ProviderModule,
    config: Config['flags'],
    private readonly defaults: TurnDefaults,
    private readonly deps: FlagsDeps,
    /** for tests */
    private readonly load: () => Promise<ProviderExport> = () => loadProviderModule(module, deps.clock),
  ) {
    const { clock, logger } = deps
    this.#where = `provider ${module.name}`
    this.#faults = new FlagFaults(clock, logger)
    this.#refused = new RefusedFlags(this.#faults, clock)
    this.#listeners = new ChangeListeners(logger)
    this.#kept = new KeptFlags(deps.kept, clock)
    this.#ownProvider = new FileProvider({
      opsFile: config.opsFile,
      overrideFile: config.overrideFile,
      kinds: ['override'],
      clock,
      faults: this.#faults,
      ...(deps.documents === undefined ? {} : { documents: deps.documents }),
      ...(deps.readFlagFile === undefined ? {} : { readFlagFile: deps.readFlagFile }),
      onOpsLoaded: () => {},
      onChange: (file, keys) => this.#changed(file, keys),
    })
    const whenAbsent = (_found: boolean, key: FlagKey): 'default' | 'away' => {
      if (isOwn(key)) return this.#ownProvider.wasRead(key) ? 'default' : 'away'
      return this.#served ? 'default' : 'away'
    }
    const isStale = (key: FlagKey): boolean =>
      isOwn(key) ? this.#ownProvider.isStale(key) : this.#isFailing || !this.#served
    this.#flagValues = new TurnFlagValues(
      defaults,
      { isStale, whenAbsent, look: (answers) => this.#see(answers) },
      this.#refused,
      this.#kept,
    )
    this.#service = new ServiceFlagValues(defaults, { whenAbsent }, this.#refused)
    this.#limits = new LimitValues(() => whenAbsent(true, FLAG_KEYS.limits), this.#refused, this.#kept)
    this.#turns = this.#createTurns()
  }

  /** @throws a text for the operator when the module cannot be loaded, or exports no provider */
  async start(): Promise<void> {
    const { clock } = this.deps
    const source = await this.load()
    if (this.#closed) return
    this.#own = bindProvider(this.#ownProvider, () => {})
    this.#reader = routedReader(() => this.#connection?.client, this.#own.client)
    const connection = new ProviderConnection({
      clock,
      source,
      prepare: (client) => this.#listen(client),
      onAttempt: (fault) => this.#attempted(fault),
      isAnswering: () => !this.#turns.away && this.#served,
    })
    this.#connection = connection
    const ready = connection.start().then(() => this.#turns.probe())
    const kept = this.#kept.load().then(() => this.#service.startFrom(this.#kept))
    await bounded(Promise.all([this.#own.initialised, ready, kept]), START_BOUND_MS, clock)
    this.#started = true
    void kept.then(() => this.#tellKept())
    if (this.#turns.away && !this.#closed) {
      this.#unreachable()
      void this.#turns.probe()
    }
    this.#scheduleLook()
  }

  async forTurn(caller: Caller): Promise<TurnFlags> {
    if (this.#reader === undefined || this.#closed) return this.#flagValues.recall(caller)
    return this.#turns.forTurn(caller)
  }

  async limitsFor(orgId: string): Promise<ChatLimits> {
    const current = this.#limits.current(orgId)
    if (current !== undefined) return current
    if (this.#reader === undefined || this.#closed || this.#turns.away) return this.#limits.recall(orgId)
    return limitsInTime(this.#limits, orgId, evaluateLimits(this.#reader, orgId), {
      clock: this.deps.clock,
      isClosed: () => this.#closed,
    })
  }

  async forService(): Promise<ServiceFlags> {
    const answers = await this.#serviceAnswers()
    this.#see(answers)
    // What proves a write is the override alone, and that is here.
    return this.#service.resolve(answers, !this.#closed && this.#reader !== undefined)
  }

  onChange(listener: ChangeListener): () => void {
    return this.#listeners.add(listener)
  }

  origin(): FlagsOrigin {
    return this.#kept.origin(this.#known)
  }

  status(): FlagsStatus {
    const faults = this.#faults.list()
    return { resolver: 'provider', state: this.#state(faults.length > 0), faults }
  }

  codeDefaults(): ReadonlyMap<FlagKey, number> {
    return this.#flagValues.codeDefaults
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#nextLook?.cancel()
    this.#kept.close()
    this.#listeners.clear()
    this.#turns.close()
    this.#connection?.close()
    this.#own?.unbind()
    await this.#ownProvider.onClose()
  }

  #state(isFaulty: boolean): FlagsStatus['state'] {
    if (!this.#started) return 'starting'
    if (this.#turns.away || !this.#served)
      return this.#known || this.origin() === 'kept' ? 'stale' : 'unavailable'
    return isFaulty || this.#isFailing || this.#ownProvider.state() !== 'ready' ? 'stale' : 'ready'
  }

  #createTurns(): RpcTurns {
    return new RpcTurns({
      clock: this.deps.clock,
      flagValues: this.#flagValues,
      ownFlags: OWN_FLAGS,
      evaluate: (caller) =>
        evaluateTurn(this.#asked(), this.defaults, caller.orgId, evaluationContext(caller)),
      recall: async (caller) => this.#flagValues.resolve(caller, await this.#ownAnswers(caller)),
      // Its status says little: one whose initialisation failed may answer all the same, and stays in that status.
      isConnected: () => true,
      onAway: () => this.#unreachable(),
      onLate: (isLate) => this.#late(isLate),
      onAnswer: (details, wasAway) => this.#answered(details, wasAway),
    })
  }

  #asked(): FlagReader {
    if (this.#reader === undefined) throw new Error('the flags are not started')
    return this.#reader
  }

  async #ownAnswers(caller: Caller): Promise<Pick<TurnDetails, 'override' | 'rollout'>> {
    const [reader, context] = [this.#asked(), evaluationContext(caller)]
    const [override, rollout] = await Promise.all([
      reader.getBooleanDetails(FLAG_KEYS.override, false, context),
      reader.getBooleanDetails(FLAG_KEYS.rollout, false, context),
    ])
    return { override, rollout }
  }

  async #serviceAnswers(): Promise<ServiceAnswers> {
    const reader = this.#reader
    if (reader === undefined || this.#closed) return {}
    if (this.#turns.away) return this.#ownAnswers(NOBODY)
    return this.#turns.forService(() => evaluateService(reader, this.defaults))
  }

  #listen(client: Client): void {
    // What the provider before it said of itself is over.
    this.#wasReady = false
    this.#isFailing = false
    this.#tellFailing()
    const isCurrent = (): boolean => !this.#closed && this.#connection?.client === client
    const failed = (): void => {
      if (!isCurrent() || !this.#wasReady) return
      this.#isFailing = true
      this.#tellFailing()
    }
    client.addHandler(ProviderEvents.Ready, () => {
      if (!isCurrent()) return
      this.#wasReady = true
      this.#isFailing = false
      this.#tellFailing()
      this.#look([])
    })
    client.addHandler(ProviderEvents.Stale, failed)
    client.addHandler(ProviderEvents.Error, failed)
    client.addHandler(ProviderEvents.ConfigurationChanged, (event) => {
      if (isCurrent()) this.#changed(this.module.name, event?.flagsChanged ?? [])
    })
  }

  /** How the provider was made and initialised. */
  #attempted(fault: string | undefined): void {
    if (this.#closed) return
    // The event of a provider that was READY at once may have come before anybody listened.
    if (this.#connection?.status === ProviderStatus.READY) this.#wasReady = true
    const message = `${fault}; ${IN_FORCE}`
    this.#faults.replace('attempt', fault === undefined ? [] : [{ where: this.#where, message }])
    void this.#turns.probeAnew()
  }

  #tellFailing(): void {
    const message = `the provider says that it cannot refresh its flags; what it had last is in force`
    this.#faults.replace('failing', this.#isFailing ? [{ where: this.#where, message }] : [])
  }

  #unreachable(): void {
    if (this.#closed || this.#faults.has('attempt')) return
    const message = `it does not answer; ${IN_FORCE}`
    this.#faults.replace('provider', [{ where: this.#where, message }])
  }

  #late(isLate: boolean): void {
    if (this.#closed) return
    this.#faults.replace('late', isLate ? [{ where: this.#where, message: lateText('it') }] : [])
  }

  #tellKept(): void {
    this.#faults.replace('kept', this.#kept.fault(this.#where, this.#known))
  }

  #scheduleLook(): void {
    if (this.#closed) return
    this.#nextLook = this.deps.clock.schedule(LOOK_MS, () => {
      this.#look([])
      this.#scheduleLook()
    })
  }

  /** The flags (all of them, without any key) may have changed. */
  #look(keys: readonly string[]): void {
    this.#limits.flagsChanged(keys)
    void this.#turns.probe()
  }

  #changed(from: string, keys: readonly string[]): void {
    if (this.#closed) return
    const known = keys.length === 0 ? keys : keys.filter((key) => ALL_KEYS.has(key))
    // The provider has flags of others as well.
    if (keys.length > 0 && known.length === 0) return
    this.#refused.flagsChanged()
    this.#flagValues.flagsChanged(known)
    this.deps.logger.info({ file: from, flags: known }, '[Flags] changed')
    this.#listeners.tell(known)
    this.#look(known)
  }

  /** What the provider answered for nobody in particular. */
  #answered(details: TurnDetails, wasAway: boolean): void {
    if (this.#closed) return
    const { override: _override, rollout: _rollout, ...ops } = details
    this.#see(details)
    this.#faults.replace('provider', [])
    if (!this.#served) return
    this.#faults.replace('attempt', [])
    this.#flagValues.resolve(NOBODY, details)
    void this.#keep(ops)
    if (wasAway) this.#returned()
  }

  /** Learns from any answer whether the provider has flags of ours. At once: otherwise a missing flag would count as removed by its owner. */
  #see(answers: TurnAnswers | ServiceAnswers): void {
    const isServed = servesFlags(answers)
    if (isServed === undefined || this.#closed) return
    // The first look may find none.
    if (isServed === this.#served && (isServed || this.#faults.has('content'))) return
    this.#served = isServed
    this.#known ||= isServed
    const message = `it has none of this service's flags (the key of another project or environment?); ${IN_FORCE}`
    this.#faults.replace('content', isServed ? [] : [{ where: this.#where, message }])
    this.#tellKept()
    if (isServed) this.#returned()
  }

  /** Nobody knows what changed meanwhile. */
  #returned(): void {
    this.#limits.flagsChanged([])
    this.#listeners.tell([])
  }

  async #keep(ops: Omit<TurnDetails, 'override' | 'rollout'>): Promise<void> {
    const reader = this.#asked()
    const all = await bounded(
      Promise.all([evaluatePolicy(reader), evaluateLimits(reader, NOBODY.orgId)]),
      LOOK_MS,
      this.deps.clock,
    )
    if (all === 'late' || this.#closed) return
    const text = documentToKeep({ ...ops, policy: all[0], limits: all[1] })
    if (text !== undefined) this.#kept.keep(text)
  }
}

const ALL_KEYS: ReadonlySet<string> = new Set(Object.values(FLAG_KEYS))
const isOwn = (key: FlagKey): boolean => FLAGS_OF_FILE.override.has(key)
