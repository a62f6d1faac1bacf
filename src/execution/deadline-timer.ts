import type { Clock, Timer } from '../core/clock.js'
import type { ActiveTime } from './active-time.js'

/** ms after a stall before a deadline strikes */
const READING_MS = 100

/** The one timer of an execution, armed again only when it fires or a nearer deadline appears. */
export class DeadlineTimer {
  #timer: Timer | undefined
  #armedFor = 0
  /** of the clock, when the timer was set */
  #stalledMs = 0

  constructor(
    private readonly clock: Clock,
    private readonly time: ActiveTime,
    /** when the next deadline strikes, in ms of active time */
    private readonly dueAt: () => number,
    private readonly onMissed: () => void,
  ) {}

  /** Pending: a deadline that moves away needs no other. */
  get isArmed(): boolean {
    return this.#timer !== undefined
  }

  arm(): void {
    const due = this.dueAt()
    if (this.#timer !== undefined) {
      if (due >= this.#armedFor) return
      this.#timer.cancel()
    }
    this.#armedFor = due
    this.#wake(due - this.time.ms)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #wake(delayMs: number): void {
    this.#stalledMs = this.clock.stalledMs?.() ?? 0
    this.#timer = this.clock.schedule(Math.max(0, delayMs), this.#onTimer)
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    // The consumer that holds arms it again.
    if (this.time.isHeld) return
    if (this.time.ms < this.dueAt()) this.arm()
    // What came while this process stood still waits in the socket: it is read before any deadline strikes.
    else if ((this.clock.stalledMs?.() ?? 0) > this.#stalledMs) this.#wake(READING_MS)
    else this.onMissed()
  }
}
