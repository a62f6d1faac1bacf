import type { Tally } from '../../metrics/windows/windows.js'
import type { JudgedResult } from '../../protocol/execution-results.js'
import type { FallbackGuardrails } from './evidence.js'
import { UNUSUAL, type Usual, usualShare } from './usual-failures.js'

/** ms without any execution, after which earlier ones tell nothing of today */
const LONGEST_MS = 86_400_000
/** of what is left above a threshold: the share that is looked for, where the threshold itself would take long to tell apart */
const BEYOND = 0.2
/** standard errors by which the usual share may be higher than it was found */
const MARGIN = 2
/** standard errors by which the share since the change must be over the threshold */
const CLEARLY = 1
/** of the score that is certain: a higher one would only have a good runtime wait longer */
const HIGHEST = 1.25

/** One judged execution: 1 where it failed, and where it timed out. */
export interface JudgedExecution {
  readonly error: 0 | 1
  readonly timeout: 0 | 1
  readonly sessionId: string
}

export const judgedExecution = (result: JudgedResult, sessionId: string): JudgedExecution => ({
  error: result === 'ok' ? 0 : 1,
  timeout: result === 'timeout' ? 1 : 0,
  sessionId,
})

type Limits = Pick<FallbackGuardrails, 'errorRate' | 'timeoutRate'>

/**
 * Finds that a runtime fails more often than it usually does, execution by execution, however much time is between them: Page's
 * cumulative sum (E. S. Page, 1954) of the log-likelihood ratio between a share beyond the threshold and the usual one, which never falls below 0. By
 * Lorden's bound a false alarm comes once in 1e9 executions at most. It knows nothing while what is usual is not known.
 */
export class RateChange {
  readonly #errors = new Sum('errors', (limits) => limits.errorRate)
  readonly #timeouts = new Sum('timeouts', (limits) => limits.timeoutRate)
  #lastAt = Number.NEGATIVE_INFINITY

  record(now: number, execution: JudgedExecution, usual: Usual, limits: Limits): void {
    if (now - this.#lastAt > LONGEST_MS) this.restart()
    this.#lastAt = now
    this.#errors.record(execution, usual, limits)
    this.#timeouts.record(execution, usual, limits)
  }

  /** The executions since the change, where it is certain; their latency is not told. */
  get found(): Tally | undefined {
    return this.#errors.found ?? this.#timeouts.found
  }

  restart(): void {
    this.#errors.clear()
    this.#timeouts.clear()
  }
}

const NONE = { total: 0, errors: 0, timeouts: 0 }

class Sum {
  #score = 0
  #limit = 1
  #since = NONE
  /** of its first one; one session alone may fail for what its user sends */
  #sessionId = ''
  #isOfMany = false

  constructor(
    private readonly counted: 'errors' | 'timeouts',
    private readonly limitOf: (limits: Limits) => number,
  ) {}

  record(execution: JudgedExecution, usual: Usual, limits: Limits): void {
    const share = highestShare(usual, this.counted)
    const limit = this.limitOf(limits)
    if (share === undefined || share >= limit || limit >= 1) {
      this.clear()
      return
    }
    const beyond = limit + (1 - limit) * BEYOND
    const failed = this.counted === 'errors' ? execution.error : execution.timeout
    const ratio = failed === 1 ? beyond / share : (1 - beyond) / (1 - share)
    const score = Math.min(this.#score + Math.log(ratio), -UNUSUAL * HIGHEST)
    this.#limit = limit
    if (score <= 0) this.clear()
    else this.#add(score, execution)
  }

  #add(score: number, { error, timeout, sessionId }: JudgedExecution): void {
    const { total, errors, timeouts } = this.#since
    if (total === 0) this.#sessionId = sessionId
    else if (sessionId !== this.#sessionId) this.#isOfMany = true
    this.#score = score
    this.#since = { total: total + 1, errors: errors + error, timeouts: timeouts + timeout }
  }

  get found(): Tally | undefined {
    if (this.#score < -UNUSUAL || !this.#isOfMany) return undefined
    const { total } = this.#since
    // Near the threshold a run is over it by chance half the time.
    const least = this.#limit * total + CLEARLY * Math.sqrt(this.#limit * (1 - this.#limit) * total)
    return this.#since[this.counted] < least ? undefined : { ...this.#since, latencySumMs: 0 }
  }

  clear(): void {
    this.#score = 0
    this.#since = NONE
    this.#isOfMany = false
  }
}

function highestShare(usual: Usual, counted: 'errors' | 'timeouts'): number | undefined {
  const share = usualShare(usual, counted)
  return share === undefined ? undefined : share + MARGIN * Math.sqrt((share * (1 - share)) / usual.total)
}
