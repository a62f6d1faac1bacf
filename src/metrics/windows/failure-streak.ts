import { isJudged } from '../../protocol/execution-results.js'

/** The newest executions of one backend, as long as all of them failed. */
export interface Streak {
  readonly failures: number
  /** different ones among their sessions */
  readonly sessions: number
}

/** the guardrail asks for at most as many */
const MOST = 1000
/** ms after which a failure tells nothing of today */
const LONGEST_MS = 86_400_000

/** The present unbroken row of failures: their sessions, in the order in which they ended. One good execution ends it. */
export class FailureStreak {
  #failures: { readonly sessionId: string; readonly at: number }[] = []

  record(now: number, result: Parameters<typeof isJudged>[0], sessionId: string): void {
    if (!isJudged(result)) return
    if (result === 'ok') this.clear()
    else {
      this.#failures.push({ sessionId, at: now })
      if (this.#failures.length > MOST) this.#failures.shift()
    }
  }

  /** Of the newest `atMost` executions, or fewer where not all of them failed. */
  read(now: number, atMost: number): Streak {
    const newest = this.#failures.slice(-atMost).filter(({ at }) => now - at < LONGEST_MS)
    return { failures: newest.length, sessions: new Set(newest.map(({ sessionId }) => sessionId)).size }
  }

  clear(): void {
    if (this.#failures.length > 0) this.#failures = []
  }
}
