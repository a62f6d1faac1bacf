import { ErrorCode } from '@openfeature/server-sdk'
import type { FlagFaults } from '../flag-faults.js'
import { FLAG_KEYS } from '../flags.js'
import type { TurnDetails } from '../values/turn-flag-reader.js'

const IN_FORCE = 'last known good values are in force, then code defaults'

/**
 * What flagd serves, with its faults. READY says nothing about it: a provider is READY without a flag of ours, and goes on
 * with its old flags when it refuses a configuration.
 */
export class DaemonContent {
  #refused = false
  #served = false
  #known = false

  constructor(
    private readonly address: string,
    private readonly faults: FlagFaults,
  ) {}

  /** The provider refused the newest configuration: what it answers is older. */
  get refused(): boolean {
    return this.#refused
  }

  /** Flags of ours were among what flagd has when it was last looked at. */
  get served(): boolean {
    return this.#served
  }

  /** ... or ever. */
  get known(): boolean {
    return this.#known
  }

  /** A whole configuration came; `refusal` is because of what the provider refused it. */
  configurationCame(refusal: string | undefined): void {
    this.#refused = refusal !== undefined
    const message = `the in-process provider refuses the whole configuration because of ${refusal}; ${IN_FORCE}`
    this.faults.replace('configuration', refusal === undefined ? [] : [{ where: this.address, message }])
  }

  /** Looks at the answers for nobody in particular. */
  inspect(details: TurnDetails): void {
    const isMissing = ({ errorCode }: { errorCode?: ErrorCode }) => errorCode === ErrorCode.FLAG_NOT_FOUND
    this.#served = !Object.values(details).every(isMissing)
    this.#known ||= this.#served
    const message = this.#missing(isMissing(details.override))
    this.faults.replace('content', message === undefined ? [] : [{ where: this.address, message }])
  }

  #missing(isOverrideMissing: boolean): string | undefined {
    // Nothing has to be guessed where the refusal itself is told.
    if (!this.#served)
      return this.#refused
        ? undefined
        : `it serves none of this service's flags (its sources, or one refused as a whole?); ${IN_FORCE}`
    return isOverrideMissing ? `it does not serve "${FLAG_KEYS.override}"; ${IN_FORCE}` : undefined
  }
}
