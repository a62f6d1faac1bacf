import { type Client, type Provider, ProviderStatus } from '@openfeature/server-sdk'
import { bounded } from '../../core/bounded.js'
import type { Clock, Timer } from '../../core/clock.js'
import { type BoundClient, bindProvider } from '../sdk-client.js'
import { shortText } from './provider-answers.js'
import type { ProviderExport } from './provider-module.js'

/** ms a provider may take to be made, and again to initialise */
const ATTEMPT_MS = 30_000
/** ms before the second attempt; each later wait is twice as long */
const RETRY_MS = 2_000
const MAX_RETRY_MS = 60_000

export interface ProviderConnectionDeps {
  readonly clock: Clock
  readonly source: ProviderExport
  /** Adds the handlers of a new client; those of an older one may still be called. */
  prepare(client: Client): void
  /** How an attempt to make and initialise the provider ended; `undefined` is well. */
  onAttempt(fault: string | undefined): void
  /** the provider answers although its attempt failed: there is no need to replace it */
  isAnswering(): boolean
}

/**
 * The provider behind its client. One whose initialisation fails or hangs is made again after a while where the module
 * exports a function, unless it answers all the same: then whether it still does is looked at as often. An exported provider is
 * left to itself, for it cannot be initialised twice.
 */
export class ProviderConnection {
  #bound: BoundClient | undefined
  #retry: Timer | undefined
  #waitMs = RETRY_MS
  #closed = false

  constructor(private readonly deps: ProviderConnectionDeps) {}

  get client(): Client | undefined {
    return this.#bound?.client
  }

  /** What the SDK knows of the provider; NOT_READY while there is none. */
  get status(): ProviderStatus {
    return this.#bound?.client.providerStatus ?? ProviderStatus.NOT_READY
  }

  /** Ends with the first attempt. Never rejects. */
  async start(): Promise<void> {
    const fault = await this.#attempt()
    if (this.#closed) return
    this.deps.onAttempt(fault)
    if (fault !== undefined && this.deps.source.kind === 'factory') this.#scheduleRetry()
  }

  /** Closes the provider, without waiting for it. */
  close(): void {
    this.#closed = true
    this.#retry?.cancel()
    this.#bound?.unbind()
  }

  #scheduleRetry(): void {
    this.#retry = this.deps.clock.schedule(this.#waitMs, () => {
      if (!this.deps.isAnswering()) void this.start()
      // It may fail later, and the SDK does not initialise it again.
      else this.#scheduleRetry()
    })
    this.#waitMs = Math.min(this.#waitMs * 2, MAX_RETRY_MS)
  }

  async #attempt(): Promise<string | undefined> {
    const made = await this.#make()
    if (typeof made === 'string') return made
    this.#bound?.unbind()
    const bound = bindProvider(made, (client) => this.deps.prepare(client))
    this.#bound = bound
    const ended = await bounded(bound.initialised, ATTEMPT_MS, this.deps.clock)
    if (ended === 'late') return `its initialisation has not ended within ${ATTEMPT_MS / 1000} s`
    return ended === undefined ? undefined : `its initialisation failed (${shortText(ended)})`
  }

  async #make(): Promise<Provider | string> {
    const { source, clock } = this.deps
    if (source.kind === 'provider') return source.provider
    const making = source.make()
    try {
      const made = await bounded(making, ATTEMPT_MS, clock)
      if (made !== 'late' && !this.#closed) return made
    } catch (thrown) {
      return `it cannot be made (${shortText(thrown)})`
    }
    // Nobody takes it any more.
    making.then((late) => late.onClose?.()).catch(() => undefined)
    return `it was not made within ${ATTEMPT_MS / 1000} s`
  }
}
