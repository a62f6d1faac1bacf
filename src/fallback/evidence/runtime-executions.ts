import type { Clock } from '../../core/clock.js'
import type { Outcome } from '../../execution/outcome.js'
import type { JudgedLog, JudgedWindow } from '../../metrics/windows/windows.js'
import { isJudged } from '../../protocol/execution-results.js'
import type { Scope } from '../../protocol/fallback-scope.js'
import type { FallbackGuardrails, RuntimeWindows } from './evidence.js'
import { LONGEST_MS } from './evidence-by-scope.js'
import type { KeptUsual } from './kept-usual.js'
import { judgedExecution, RateChange } from './rate-change.js'
import { type Usual, UsualFailures } from './usual-failures.js'
import { breachingRow, recoveryReach, unsettled } from './verdict.js'

export interface RuntimeExecutionsDeps {
  readonly clock: Clock
  readonly judged: { readonly runtime: JudgedWindow; readonly log: JudgedLog }
  readonly keptUsual: KeptUsual | undefined
}

/** In which state of the fallback an execution ends, or is asked for. */
export interface Use {
  /** nobody is sent away */
  readonly isInUse: boolean
  /** ... and nothing is in breach: what fails now is usual */
  readonly isUsual: boolean
}

/** What the runtime's executions tell: the judged windows, what usually fails, and whether that changes. */
export class RuntimeExecutions {
  readonly #usual = new UsualFailures()
  readonly #change = new RateChange()

  constructor(private readonly deps: RuntimeExecutionsDeps) {}

  /** What an earlier process kept. */
  async load(): Promise<void> {
    const usual = await this.deps.keptUsual?.load()
    if (usual !== undefined) this.#usual.seed(usual)
  }

  /** A process that knows nothing has nothing to keep: what is kept may be more. */
  keep(now?: 'now'): void {
    const { known } = this.#usual
    if (known.total > 0) this.deps.keptUsual?.keep(known, now)
  }

  record(outcome: Outcome, guardrails: FallbackGuardrails, { isInUse, isUsual }: Use): void {
    const { judged, clock } = this.deps
    judged.runtime.record(outcome)
    judged.log.record(outcome)
    const { result, sessionId = '' } = outcome
    if (!isJudged(result)) return
    const now = clock.monotonic()
    const execution = judgedExecution(result, sessionId)
    if (isInUse) this.#change.record(now, execution, this.#usual.known, guardrails)
    else this.#change.restart()
    if (isUsual) this.#usual.record(now, unsettled(guardrails), execution.error, execution.timeout)
    else this.#usual.restart()
  }

  /** A state ended: what was judged in it counts no more. */
  restart(scope: Scope | undefined): void {
    const { judged, clock } = this.deps
    judged.runtime.restart(clock.monotonic())
    judged.log.restart(clock.monotonic(), scope)
    this.#usual.restart()
    this.#change.restart()
  }

  /** ... nor what was usual. */
  forget(): void {
    this.#usual.clear()
    this.#change.restart()
    this.deps.keptUsual?.keep(this.#usual.known, 'now')
  }

  windows(guardrails: FallbackGuardrails, { isInUse }: Pick<Use, 'isInUse'>): RuntimeWindows {
    const { known: usual } = this.#usual
    const changed = isInUse ? this.#change.found : undefined
    const slowMs = guardrails.windowSeconds * 1000
    return {
      ...runtimeWindows(this.deps.judged.runtime, guardrails, { slowMs, recentMs: LONGEST_MS }, usual),
      ...(usual.total === 0 ? {} : { usual }),
      ...(changed === undefined ? {} : { changed }),
    }
  }
}

/** The windows of the guardrails; `slowMs` and `recentMs` are how far back the slow one and that of a recovery reach. */
export function runtimeWindows(
  runtime: JudgedWindow,
  guardrails: FallbackGuardrails,
  { slowMs, recentMs }: { readonly slowMs: number; readonly recentMs: number },
  usual?: Usual,
): RuntimeWindows {
  const fastMs = guardrails.fastWindowSeconds * 1000
  const fast = [fastMs, 2 * guardrails.minSamples, guardrails.windowSeconds * 1000] as const
  const recent = [fastMs, recoveryReach(guardrails), recentMs] as const
  return {
    slow: runtime.tally(slowMs),
    fast: runtime.newest(...fast),
    recent: runtime.newest(...recent),
    streak: runtime.streak(breachingRow(guardrails, usual)),
    ...(guardrails.firstContentP95Ms === null
      ? {}
      : {
          firstContent: {
            slow: runtime.firstContent(slowMs, 0, slowMs),
            fast: runtime.firstContent(...fast),
            recent: runtime.firstContent(...recent),
          },
        }),
  }
}
