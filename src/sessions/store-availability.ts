import { errorCode } from '../core/errors.js'
import type { Logger } from '../core/logger.js'

/** Whether the calls of a database work, by their results. Logs when they begin to fail, and when they work again. */
export class StoreAvailability {
  #isAvailable = true
  #writesFail = false

  constructor(private readonly logger: Logger) {}

  get isAvailable(): boolean {
    return this.#isAvailable
  }

  /** Logged once until it works again: under load every turn would tell the same. @param text of the error, in words */
  failed(kind: 'read' | 'write', error: unknown, text: string): void {
    if (kind === 'write') this.#writesFail = true
    if (!this.#isAvailable) return
    this.#isAvailable = false
    this.logger.error({ code: errorCode(error), error: text }, '[Sessions] the session store is unavailable')
  }

  /** A standby, a locked file or a full disk still reads: that says nothing of writes that failed. */
  worked(kind: 'read' | 'write'): void {
    if (kind === 'write') this.#writesFail = false
    if (this.#isAvailable || this.#writesFail) return
    this.#isAvailable = true
    this.logger.info('[Sessions] the session store is available again')
  }
}
