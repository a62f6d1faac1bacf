import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Logger } from '../core/logger.js'
import type { Beat, Pulse } from '../core/pulse/pulse.js'
import type { ChatLimits, EnvironmentLimits } from './chat-limits.js'
import { afterLook, NO_OVERLOAD, type Overload, type OverloadLevel } from './overload-state.js'

/** ms between two looks; while the process rests, one a beat */
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
  readonly pulse: Pulse
  readonly logger: Logger
  readonly environment: EnvironmentLimits
  /** the limits that hold for all together; never rejects */
  limits(): Promise<ChatLimits>
  /** open streams now */
  open(): number
  /** in place of the event loop's own, for tests */
  readonly delay?: LoopDelay
}

/** Mean ms that the event loop was late since it was last asked; undefined: nothing was measured since. */
export interface LoopDelay {
  start(): void
  take(): number | undefined
  stop(): void
}

export function watchOverload({
  pulse,
  logger,
  environment,
  limits,
  open,
  delay = loopDelay(),
}: OverloadDeps): OverloadWatch {
  let state: Overload = NO_OVERLOAD
  let forget: (() => void) | undefined
  let isMeasuring = false
  let present: ChatLimits | undefined
  let tell: () => void = () => undefined
  let turnedAway = 0

  /** Each measurement wakes the process; while it rests, how late the beat is says enough. */
  const measure = (wanted: boolean): void => {
    if (wanted === isMeasuring) return
    isMeasuring = wanted
    if (wanted) delay.start()
    else delay.stop()
  }
  const look = ({ now: at, lateMs }: Beat): void => {
    // In time for the next look; the flags change seldom.
    void limits().then((now) => {
      present = now
    })
    const before = state.level
    const maxStreams = present?.maxStreams ?? environment.maxStreams
    const limitMs = present?.overloadDelayMs ?? 0
    // The first measurement is lost where the loop is held from the start on.
    const delayMs = (isMeasuring ? delay.take() : undefined) ?? lateMs
    const seen = { at, delayMs, open: open(), maxStreams, turnedAway, limitMs }
    turnedAway = 0
    state = afterLook(state, seen)
    if (state.level !== before) told(before, delayMs)
    tell()
    if (state.level > 0 || seen.open > 0) pulse.wake(at)
    measure(pulse.isAwake)
  }
  const told = (before: OverloadLevel, delayMs: number): void => {
    const { level } = state
    const facts = { level, before, delayMs: Math.round(delayMs), open: open(), places: placesOf(state) }
    if (level > before) logger.warn(facts, '[Limits] overload rises')
    else logger.info(facts, '[Limits] overload falls')
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
      pulse.wake()
    },
    onLook(listener) {
      tell = listener
    },
    start() {
      if (forget !== undefined) return
      forget = pulse.listen({ everyMs: LOOK_MS, beat: look, onWake: () => measure(true) })
      measure(pulse.isAwake)
    },
    stop() {
      forget?.()
      forget = undefined
      measure(false)
    },
  }
}

const placesOf = (state: Overload): number | undefined => (state.kind === 'sheds' ? state.places : undefined)

/** By Node's own measurement: the mean of what its timer was late. */
function loopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  let before = { count: 0, sum: 0 }
  return {
    start() {
      // What went by while it was off would count as one long delay.
      histogram.reset()
      histogram.enable()
      before = { count: 0, sum: 0 }
    },
    take() {
      // Not reset while it is on: the first measurement after it is lost, and a loop that is late by more than a look has only that one.
      const { count, mean } = histogram
      const now = { count, sum: count === 0 ? 0 : count * mean }
      const isNone = now.count === before.count
      const sinceBefore = (now.sum - before.sum) / Math.max(1, now.count - before.count)
      before = now
      return isNone ? undefined : Math.max(0, sinceBefore / 1e6 - RESOLUTION_MS)
    },
    stop: () => void histogram.disable(),
  }
}
