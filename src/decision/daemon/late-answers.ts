/** answers missed, without a quiet time between them, before it is told */
const TOLD_AT = 5
/** ms without a missed answer that begin the count again */
const QUIET_MS = 10_000
/** ms without a missed answer until it counts as over */
const OVER_MS = 60_000

/** Whether flagd answers later than turns wait, often enough to be told. `now` in ms. */
export class LateAnswers {
  #missed = 0
  #lastAt = Number.NEGATIVE_INFINITY
  #told = false

  get told(): boolean {
    return this.#told
  }

  missed(now: number): void {
    if (now - this.#lastAt > QUIET_MS) this.#missed = 0
    this.#missed += 1
    this.#lastAt = now
    if (this.#missed >= TOLD_AT) this.#told = true
  }

  inTime(now: number): void {
    if (now - this.#lastAt >= OVER_MS) this.#told = false
  }
}
