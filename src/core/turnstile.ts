/** Lets one waiter through a round of the event loop, in the order they came: whatever they then do, others run in between. */
export class Turnstile {
  readonly #waiting: (() => void)[] = []

  pass(next: () => void): void {
    this.#waiting.push(next)
    if (this.#waiting.length === 1) setImmediate(this.#letOne)
  }

  readonly #letOne = (): void => {
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) setImmediate(this.#letOne)
  }
}
