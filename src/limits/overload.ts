import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Clock, Timer } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { ChatLimits, EnvironmentLimits } from './chat-limits.js'
import { afterLook, NO_OVERLOAD, type Overload, type OverloadLevel } from './overload-state.js'

/** ms between two looks */
const LOOK_MS = 200
/** ms between two measurements of the event loop's delay */
const RESOLUTION_MS = 10

/** Whether this process has more to do than it can. */
export interface OverloadWatch {
  readonly level: OverloadLevel
  /** how many streams the event loop bears; undefined while nothing is shed */
  readonly places: number | undefined
  /** A turn was refused though places were free: too many others were about to begin. */
  turnedAway(): void
  /** Called after each look. One listener. */
  onLook(listener: () => void): void
  start(): void
  stop(): void
}

export interface OverloadDeps {
  readonly clock: Clock
  readonly logger: Logger
  readonly environment: EnvironmentLimits
  /** the limits that hold for all together; never rejects */
  limits(): Promise<ChatLimits>
  /** open streams now */
  open(): number
  /** in place of the event loop's own, for tests */
  readonly delay?: LoopDelay
}

/** Mean ms that the event loop was late since it was last asked. */
export interface LoopDelay {
  start(): void
  take(): number
  stop(): void
}

export function watchOverload({
  clock,
  logger,
  environment,
  limits,
  open,
  delay = loopDelay(),
}: OverloadDeps): OverloadWatch {
  let state: Overload = NO_OVERLOAD
  let timer: Timer | undefined
  let present: ChatLimits | undefined
  let tell: () => void = () => undefined
  let turnedAway = 0

  const look = (): void => {
    // In time for the next look; the flags change seldom.
    void limits().then((now) => {
      present = now
    })
    const before = state.level
    const maxStreams = present?.maxStreams ?? environment.maxStreams
    const limitMs = present?.overloadDelayMs ?? 0
    const delayMs = delay.take()
    const seen = { at: clock.monotonic(), delayMs, open: open(), maxStreams, turnedAway, limitMs }
    turnedAway = 0
    state = afterLook(state, seen)
    if (state.level !== before) told(before, delayMs)
    tell()
    arm()
  }
  const told = (before: OverloadLevel, delayMs: number): void => {
    const { level } = state
    const facts = { level, before, delayMs: Math.round(delayMs), open: open(), places: placesOf(state) }
    if (level > before) logger.warn(facts, '[Limits] overload rises')
    else logger.info(facts, '[Limits] overload falls')
  }
  const arm = (): void => {
    timer = clock.schedule(LOOK_MS, look)
  }

  return {
    get level() {
      return state.level
    },
    get places() {
      return placesOf(state)
    },
    turnedAway() {
      turnedAway += 1
    },
    onLook(listener) {
      tell = listener
    },
    start() {
      if (timer !== undefined) return
      delay.start()
      arm()
    },
    stop() {
      timer?.cancel()
      timer = undefined
      delay.stop()
    },
  }
}

const placesOf = (state: Overload): number | undefined => (state.kind === 'sheds' ? state.places : undefined)

/** By Node's own measurement: the mean of what its timer was late. */
function loopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  // Never reset: after a reset the first measurement is lost, and a loop that is late by more than a look has only that one.
  let before = { count: 0, sum: 0 }
  return {
    start: () => void histogram.enable(),
    take() {
      const { count, mean } = histogram
      const now = { count, sum: count === 0 ? 0 : count * mean }
      const sinceBefore = (now.sum - before.sum) / Math.max(1, now.count - before.count)
      before = now
      return Math.max(0, sinceBefore / 1e6 - RESOLUTION_MS)
    },
    stop: () => void histogram.disable(),
  }
}
