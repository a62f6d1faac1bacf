import type { Client } from '@openfeature/server-sdk'
import type { Config } from '../../config.js'
import { bounded } from '../../core/bounded.js'
import type { ChatLimits } from '../../limits/chat-limits.js'
import { type Caller, evaluationContext } from '../caller.js'
import { type ChangeListener, ChangeListeners } from '../change-listeners.js'
import type { TurnDefaults } from '../code-defaults.js'
import { FlagFaults } from '../flag-faults.js'
import {
  FLAG_KEYS,
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
import { evaluateService, serviceDetails } from '../values/service-flag-reader.js'
import { ServiceFlagValues } from '../values/service-flag-values.js'
import { SharedAnswers } from '../values/shared-answers.js'
import { allDetails, evaluateLimits, evaluateTurn } from '../values/turn-flag-reader.js'
import { type AnswerContext, TurnFlagValues } from '../values/turn-flag-values.js'
import { FileProvider } from './file-provider.js'

/** Resolver `file`: nothing to wait for, and the provider itself holds the last good flags. */
export class FileFlags implements Flags {
  readonly #provider: FileProvider
  readonly #faults: FlagFaults
  readonly #flagValues: TurnFlagValues
  readonly #service: ServiceFlagValues
  readonly #limits: LimitValues
  readonly #listeners: ChangeListeners
  readonly #kept: KeptFlags
  private readonly opsFile: string
  #bound: BoundClient | undefined
  #client: Client | undefined
  #turnReader: SharedAnswers | undefined
  #closed = false

  constructor(
    config: Config['flags'],
    private readonly defaults: TurnDefaults,
    private readonly deps: FlagsDeps,
  ) {
    const { clock, logger } = deps
    this.opsFile = deps.documents?.ops?.name ?? config.opsFile
    this.#faults = new FlagFaults(clock, logger)
    const refused = new RefusedFlags(this.#faults, clock)
    const listeners = new ChangeListeners(logger)
    this.#listeners = listeners
    this.#kept = new KeptFlags(deps.kept, clock)
    this.#provider = new FileProvider({
      opsFile: config.opsFile,
      overrideFile: config.overrideFile,
      clock,
      faults: this.#faults,
      ...(deps.documents === undefined ? {} : { documents: deps.documents }),
      ...(deps.readFlagFile === undefined ? {} : { readFlagFile: deps.readFlagFile }),
      onOpsLoaded: (text, isWhole) => {
        if (isWhole) this.#kept.keep(text)
        this.#faults.replace('kept', [])
      },
      onChange: (file, flags) => {
        refused.flagsChanged()
        this.#flagValues.flagsChanged(flags)
        this.#limits.flagsChanged(flags)
        logger.info({ file, flags }, '[Flags] changed')
        listeners.tell(flags)
      },
    })
    const provider = this.#provider
    const whenAbsent: AnswerContext['whenAbsent'] = (_found, key) =>
      provider.wasRead(key) ? 'default' : 'away'
    this.#flagValues = new TurnFlagValues(
      defaults,
      // What is absent from the last good flags is absent by its owner's will; a broken file is told by the provider.
      {
        isStale: (key) => provider.isStale(key),
        whenAbsent,
      },
      refused,
      this.#kept,
    )
    this.#service = new ServiceFlagValues(defaults, { whenAbsent }, refused)
    this.#limits = new LimitValues(() => whenAbsent(true, FLAG_KEYS.limits), refused, this.#kept)
  }

  async start(): Promise<void> {
    this.#bound = bindProvider(this.#provider, () => {})
    const kept = this.#kept.load().then(() => this.#service.startFrom(this.#kept))
    await bounded(Promise.all([this.#bound.initialised, kept]), START_BOUND_MS, this.deps.clock)
    this.#client = this.#bound.client
    this.#turnReader = new SharedAnswers(this.#client, this.#provider)
    void kept.then(() => this.#faults.replace('kept', this.#kept.fault(this.opsFile, this.#isOpsKnown())))
  }

  async forTurn(caller: Caller): Promise<TurnFlags> {
    const reader = this.#turnReader
    if (reader === undefined) return this.#flagValues.recall(caller)
    const evaluations = evaluateTurn(reader, this.defaults, caller.orgId, evaluationContext(caller))
    return this.#flagValues.resolve(caller, await allDetails(evaluations))
  }

  async limitsFor(orgId: string): Promise<ChatLimits> {
    const current = this.#limits.current(orgId)
    if (current !== undefined) return current
    if (this.#client === undefined || this.#closed) return this.#limits.recall(orgId)
    const { generation } = this.#limits
    return this.#limits.resolve(orgId, await evaluateLimits(this.#client, orgId), generation)
  }

  async forService(): Promise<ServiceFlags> {
    const reader = this.#turnReader
    if (reader === undefined || this.#closed) return this.#service.resolve({}, false)
    const answers = await serviceDetails(evaluateService(reader, this.defaults))
    return this.#service.resolve(answers, true)
  }

  onChange(listener: ChangeListener): () => void {
    return this.#listeners.add(listener)
  }

  origin(): FlagsOrigin {
    return this.#kept.origin(this.#isOpsKnown())
  }

  #isOpsKnown(): boolean {
    return this.#provider.wasRead(FLAG_KEYS.mode)
  }

  status(): FlagsStatus {
    const faults = this.#faults.list()
    const state = this.#client === undefined ? 'starting' : this.#state()
    return { resolver: 'file', state: state === 'ready' && faults.length > 0 ? 'stale' : state, faults }
  }

  #state(): FlagsStatus['state'] {
    const state = this.#provider.state()
    return state === 'unavailable' && this.origin() === 'kept' ? 'stale' : state
  }

  codeDefaults(): ReadonlyMap<FlagKey, number> {
    return this.#flagValues.codeDefaults
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#kept.close()
    this.#listeners.clear()
    this.#bound?.unbind()
    await this.#provider.onClose()
  }
}
