import type { Faults } from './faults.js'

/** What the simulated LLM refuses by number: the next requests after its faults were set, and answers beyond a limit. */
export class LlmLimits {
  readonly #failed = new WeakMap<Faults, number>()
  #answers = 0

  /** The status of the refusal, or how the request leaves again. */
  enter(faults: Faults): number | (() => void) {
    const { failNext, maxAnswers } = faults
    const failed = this.#failed.get(faults) ?? 0
    if (failNext !== undefined && failed < failNext.requests) {
      this.#failed.set(faults, failed + 1)
      return failNext.status ?? 503
    }
    if (maxAnswers !== undefined && this.#answers >= maxAnswers.answers) return maxAnswers.status ?? 429
    this.#answers += 1
    return () => {
      this.#answers -= 1
    }
  }
}
