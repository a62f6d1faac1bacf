import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import { errorText } from '../../core/errors.js'
import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import { Turnstile } from '../../core/turnstile.js'
import type { Caller } from '../../decision/caller.js'
import type { ChatBackend, Turn } from '../../execution/backend.js'
import { runtimeAllowance } from '../../execution/deadlines.js'
import { Execution, type ExecutionLimits } from '../../execution/execution.js'
import { endExecutionSpan, spanWatch } from '../../execution/execution-watch.js'
import type { Outcome } from '../../execution/outcome.js'
import type { FenceGate } from './fence-gate.js'
import { readToEnd } from './read-to-end.js'
import { shadowTurn, startShadowSpan } from './shadow-turn.js'

/** Executions that no user sees, by which a runtime that nobody is sent to can show that it is well again. */
export interface RecoveryShadows {
  /**
   * Perhaps runs the turn on the runtime too. For turns that go to the direct LLM because of the override alone, called
   * when their own request is on its way. Returns at once and never throws.
   * @param limits of the turn; a shadow has the very deadlines its turn would have had
   */
  consider(turn: Turn, limits: ExecutionLimits): void
  /** Gives up what runs, tells the runtime, and takes no more; ends within a second. */
  stop(): Promise<void>
  counts(): RecoveryShadowCounts
}

/** Since the start, but for `running`. */
export interface RecoveryShadowCounts {
  readonly running: number
  readonly started: number
  /** chosen, and not run: too many were, or the runtime is not known to keep the fence */
  readonly dropped: number
  readonly ok: number
  readonly error: number
  readonly timeout: number
  readonly aborted: number
}

export interface RecoveryShadowsDeps {
  readonly runtime: ChatBackend
  readonly clock: Clock
  readonly logger: Logger
  readonly ids: { newId(): string }
  /** 0 to below 1 */
  random(): number
  /** `percent`: guardrail `recoveryShadowPercent`, 0 to 100; with 0 there is still one every ten seconds */
  settings(): { readonly percent: number }
  /** Whether the fallback wants evidence, and nobody forbids it. */
  allowed(subject: Caller): boolean
  /** absent: they run whether the runtime keeps the fence or not */
  readonly fence?: FenceGate
  /** Called once a shadow, unless it was given up for the fence; for the judged window alone. */
  record(outcome: Outcome): void
  /** at a time while the runtime answers; what is chosen beyond is dropped, never queued */
  readonly maxConcurrent?: number
}

/** Whatever the percentage, the first turn in so many ms is taken: a quiet installation must come back too. */
const AT_LEAST_EVERY_MS = 10_000
const MAX_CONCURRENT = 4
/** further ones within one `firstContentMs` while all wait for their first content: the runtime may answer new ones again */
const FURTHER = 12
/** ms for what runs to be given up, the cancel included */
const STOP_MS = 900

export function createRecoveryShadows(deps: RecoveryShadowsDeps): RecoveryShadows {
  return new Shadows(deps)
}

interface Running {
  readonly startedAt: number
  /** ms its turn would have waited for the first content */
  readonly firstContentMs: number
  readonly execution: Execution
  readonly ended: Promise<void>
}

class Shadows implements RecoveryShadows {
  readonly #running = new Set<Running>()
  readonly #turnstile = new Turnstile()
  readonly #maxConcurrent: number
  #lastStartedAt = Number.NEGATIVE_INFINITY
  /** one that started then was answered: those before it that still wait hang, and hold no place */
  #answeredAt = Number.NEGATIVE_INFINITY
  #stopped = false
  #started = 0
  #dropped = 0
  readonly #results: Record<Outcome['result'], number> = {
    ok: 0,
    error: 0,
    timeout: 0,
    aborted: 0,
    rejected: 0,
  }

  constructor(private readonly deps: RecoveryShadowsDeps) {
    this.#maxConcurrent = deps.maxConcurrent ?? MAX_CONCURRENT
  }

  consider(turn: Turn, limits: ExecutionLimits): void {
    if (this.#stopped || turn.shadow === true) return
    try {
      if (!this.#chosen() || !this.deps.allowed(turn.caller)) return
      if (this.#isFull() || this.deps.fence?.mayPass(turn, limits) === false) this.#dropped += 1
      else this.#start(shadowTurn(turn, this.deps.ids), limits)
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    const running = [...this.#running]
    for (const { execution } of running) execution.abort('shutting_down')
    await bounded(Promise.all(running.map(({ ended }) => ended)), STOP_MS, this.deps.clock)
  }

  counts(): RecoveryShadowCounts {
    return {
      running: this.#running.size,
      started: this.#started,
      dropped: this.#dropped,
      ...this.#results,
    }
  }

  #chosen(): boolean {
    const { clock, random, settings } = this.deps
    if (clock.monotonic() - this.#lastStartedAt >= AT_LEAST_EVERY_MS) return true
    return random() * 100 < settings().percent
  }

  /**
   * A runtime that hung keeps what it was sent until the deadline, also when it answers again. So one more may start now and then while
   * all wait, each with its full time, and once one is answered the hanging ones count no more.
   */
  #isFull(): boolean {
    if (this.#running.size >= 2 * this.#maxConcurrent + FURTHER) return true
    const holding = [...this.#running].filter(
      ({ execution, startedAt }) => execution.committed || startedAt >= this.#answeredAt,
    )
    if (holding.length < this.#maxConcurrent) return false
    const now = this.deps.clock.monotonic()
    return holding.some(
      ({ execution, firstContentMs }) =>
        execution.committed || now - this.#lastStartedAt < firstContentMs / FURTHER,
    )
  }

  #start(turn: Turn, limits: ExecutionLimits): void {
    const { runtime, clock, logger } = this.deps
    const startedAt = clock.monotonic()
    const after: Promise<void>[] = []
    const span = guarded(logger, 'traces', () => startShadowSpan('recovery shadow', turn, runtime.mode))
    const execution = new Execution(runtime, turn, limits, runtimeAllowance(limits), {
      clock,
      logger,
      ...(span === undefined ? {} : { watch: () => spanWatch(span) }),
      record: (outcome) => {
        if (span !== undefined) guarded(logger, 'traces', () => endExecutionSpan(span, outcome))
        if (outcome.result === 'ok') this.#answeredAt = Math.max(this.#answeredAt, startedAt)
        this.#record(outcome, turn)
      },
      after: (task) => void after.push(task),
    })
    this.#lastStartedAt = startedAt
    this.#started += 1
    const ended = readToEnd(execution, after, this.#turnstile).then(() => {
      this.#running.delete(running)
    })
    const running = { startedAt, firstContentMs: limits.firstContentMs, execution, ended }
    this.#running.add(running)
  }

  #record(outcome: Outcome, { requestId }: Turn): void {
    this.#results[outcome.result] += 1
    const { result, latencyMs } = outcome
    const code = outcome.result === 'ok' ? undefined : outcome.code
    try {
      this.deps.logger.debug(
        { requestId, result, code, latencyMs: Math.round(latencyMs) },
        'recovery shadow ended',
      )
      // Given up at its head by us: that says nothing of the runtime's health.
      if (this.deps.fence?.isOpen() !== false) this.deps.record(outcome)
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  #broke(thrown: unknown): void {
    this.deps.logger.error({ error: errorText(thrown) }, 'recovery shadow broke')
  }
}
