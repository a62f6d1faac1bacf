import { EarliestFirst } from '../../support/earliest-first.js'

interface Event {
  readonly at: number
  readonly run: () => void
}

/** True time, and what happens when; events of one instant in the order they were planned. */
export class Scheduler {
  now = 0
  readonly #planned = new EarliestFirst<Event>()

  after(delayMs: number, run: () => void): void {
    this.#planned.add({ at: this.now + Math.max(0, delayMs), run })
  }

  /** Runs until then, or until it is told that that is enough. */
  runUntil(until: number, isEnough: () => boolean = () => false): void {
    const planned = this.#planned
    for (let event = planned.first; event !== undefined && event.at <= until; event = planned.first) {
      planned.take()
      this.now = event.at
      event.run()
      if (isEnough()) return
    }
    this.now = until
  }
}
