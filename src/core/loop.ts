import type { Clock, Timer } from './clock.js'

export interface LoopOptions {
  readonly clock: Clock
  /** ms from the start of one round to the start of the next; asked after each */
  readonly intervalMs: () => number
  /** ms from the end of a round to the start of one that was asked for in between */
  readonly pauseMs: number
  readonly run: () => Promise<void>
  /** What a round threw; the loop goes on. */
  readonly onError: (thrown: unknown) => void
}

/** Work that is done over and over, one round at a time. Nothing here rejects. */
export interface Loop {
  /** Starts it; ends with the first round. */
  start(): Promise<void>
  /** A round as soon as may be; ends with one that began after the call, or with the loop. */
  nudge(): Promise<void>
  /** No round begins any more; ends with the one under way. */
  stop(): Promise<void>
}

/** Rounds never overlap, survive their own errors, and are awaited at the end. */
export function createLoop(options: LoopOptions): Loop {
  const { clock } = options
  let state: 'idle' | 'running' | 'stopped' = 'idle'
  let timer: Timer | undefined
  let round: Promise<void> | undefined
  let startedAt = Number.NEGATIVE_INFINITY
  let endedAt = Number.NEGATIVE_INFINITY
  /** waiting for a round that has not begun yet */
  let waiting: (() => void)[] = []

  async function runOnce(): Promise<void> {
    const served = waiting
    waiting = []
    startedAt = clock.monotonic()
    try {
      await options.run()
    } catch (thrown) {
      options.onError(thrown)
    }
    endedAt = clock.monotonic()
    round = undefined
    for (const done of served) done()
    arm()
  }

  function begin(): void {
    timer = undefined
    if (state === 'running') round = runOnce()
  }

  function arm(): void {
    if (state !== 'running' || round !== undefined) return
    timer?.cancel()
    const due = waiting.length > 0 ? endedAt + options.pauseMs : startedAt + options.intervalMs()
    timer = clock.schedule(Math.max(0, due - clock.monotonic()), begin)
  }

  function nudge(): Promise<void> {
    if (state !== 'running') return Promise.resolve()
    return new Promise((resolve) => {
      waiting.push(resolve)
      arm()
    })
  }

  return {
    nudge,
    start() {
      if (state !== 'idle') return Promise.resolve()
      state = 'running'
      return nudge()
    },
    async stop() {
      state = 'stopped'
      timer?.cancel()
      await round
      for (const done of waiting.splice(0)) done()
    },
  }
}
