import type { Clock } from '../../core/clock.js'
import type { ExecutionCall } from '../backend.js'

/** Time to connect and to get a response head, shared by all requests of one execution. */
export class SharedBudget {
  /** monotonic ms; once a connection stood */
  #until: number | undefined

  constructor(
    private readonly clock: Clock,
    private readonly call: Pick<ExecutionCall, 'connectMs' | 'headersMs' | 'onConnected'>,
  ) {}

  get isSpent(): boolean {
    return this.#until !== undefined && this.clock.monotonic() >= this.#until
  }

  /** For the next request. */
  left(): { readonly connectMs: number; readonly headersMs: number } {
    const { connectMs, headersMs } = this.call
    if (this.#until === undefined) return { connectMs, headersMs }
    const left = Math.max(1, this.#until - this.clock.monotonic())
    return { connectMs: Math.min(connectMs, left), headersMs: left }
  }

  /** A connection stands; the execution is told of the first alone. */
  connected(): void {
    if (this.#until !== undefined) return
    this.#until = this.clock.monotonic() + this.call.headersMs
    this.call.onConnected()
  }
}
