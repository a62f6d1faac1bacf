import { errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'

export type ChangeListener = (keys: readonly string[]) => void

/** Those who want to know that flags changed. One that throws keeps neither the others nor the flags from going on. */
export class ChangeListeners {
  readonly #listeners = new Set<{ readonly call: ChangeListener }>()

  constructor(private readonly logger: Logger) {}

  /** Gives back how to stop it. The same function added twice is called twice. */
  add(listener: ChangeListener): () => void {
    const entry = { call: listener }
    this.#listeners.add(entry)
    return () => {
      this.#listeners.delete(entry)
    }
  }

  /** `keys` are the flags that changed; empty if that is not known. */
  tell(keys: readonly string[]): void {
    for (const { call } of [...this.#listeners])
      try {
        call(keys)
      } catch (thrown) {
        this.logger.error({ err: errorText(thrown) }, '[Flags] a listener to changes failed')
      }
  }

  /** Nobody hears anything any more. */
  clear(): void {
    this.#listeners.clear()
  }
}
