import type { Clock, Timer } from '../clock.js'

/** ms between two beats */
export const BEAT_MS = 100
/** ... while the process has nothing to do */
export const RESTING_BEAT_MS = 500
/** ms from the last wish on, or from the last work, for which the pace holds */
const AWAKE_MS = 2_000
/** ms a beat may be late: what a collection of garbage or a burst of work takes */
export const LATE_MS = 50

export interface Beat {
  /** monotonic ms */
  readonly now: number
  /** ms by which it is late */
  readonly lateMs: number
  /** ms from the beat before to the time for which this one was set */
  readonly everyMs: number
}

export interface PulseListener {
  /** ms; beats that come sooner after the one before are not told to it; default: each is */
  readonly everyMs?: number
  beat(beat: Beat): void
  /** The process rests no more; comes before the next beat. */
  onWake?(): void
}

/**
 * One timer for all that watch this process: how late its event loop is, whether it stood still, how much it has to do. Each
 * wake-up of a process that rests costs it far more than what is done then.
 */
export interface Pulse {
  /** Beats at full pace from now on, for two seconds or while the process is busy. Until the first wish it rests. */
  wake(now?: number): void
  readonly isAwake: boolean
  /** ms by which the next beat is late, if that is more than a burst of work takes; else 0 */
  stalledMs(now: number): number
  /** Starts it. Returns how to stop listening; the last one stops it. */
  listen(listener: PulseListener): () => void
}

/** @param isBusy whether something goes on that needs the full pace; who begins it wakes the pulse */
export function createPulse(clock: Clock, isBusy: () => boolean = () => false): Pulse {
  return new ClockPulse(clock, isBusy)
}

class ClockPulse implements Pulse {
  /** each with the time of the beat that it was told last */
  readonly #listeners = new Map<PulseListener, number>()
  #timer: Timer | undefined
  #everyMs = RESTING_BEAT_MS
  #dueAt = Number.POSITIVE_INFINITY
  #wishedAt = Number.NEGATIVE_INFINITY
  #isAwake = false

  constructor(
    private readonly clock: Clock,
    private readonly isBusy: () => boolean,
  ) {}

  get isAwake(): boolean {
    return this.#isAwake
  }

  wake(now = this.clock.monotonic()): void {
    this.#wishedAt = now
    if (this.#isAwake) return
    this.#isAwake = true
    // One that is due in less is not put off: it may be late already.
    if (this.#dueAt - now > BEAT_MS && this.#timer !== undefined) this.#arm(now)
    for (const { onWake } of this.#listeners.keys()) onWake?.()
  }

  stalledMs(now: number): number {
    const late = now - this.#dueAt
    return late > LATE_MS ? late : 0
  }

  listen(listener: PulseListener): () => void {
    const now = this.clock.monotonic()
    this.#listeners.set(listener, now)
    if (this.#timer === undefined) this.#arm(now)
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size > 0) return
      this.#timer?.cancel()
      this.#timer = undefined
      this.#dueAt = Number.POSITIVE_INFINITY
    }
  }

  #arm(now: number): void {
    this.#timer?.cancel()
    this.#everyMs = this.#isAwake ? BEAT_MS : RESTING_BEAT_MS
    this.#dueAt = now + this.#everyMs
    this.#timer = this.clock.schedule(this.#everyMs, this.#beat)
  }

  readonly #beat = (): void => {
    const now = this.clock.monotonic()
    const beat = { now, lateMs: Math.max(0, now - this.#dueAt), everyMs: this.#everyMs }
    if (this.#isAwake && this.isBusy()) this.#wishedAt = now
    this.#isAwake = now - this.#wishedAt < AWAKE_MS
    this.#arm(now)
    if (beat.lateMs > LATE_MS) this.wake(now)
    for (const [listener, toldAt] of this.#listeners) {
      if (now - toldAt < (listener.everyMs ?? 0) - BEAT_MS / 2) continue
      this.#listeners.set(listener, now)
      listener.beat(beat)
    }
  }
}
