import type { Clock } from '../../core/clock.js'
import type { Logger } from '../../core/logger.js'
import { logIds } from '../../execution/backend.js'
import type { CandidateEnd } from './candidate.js'
import { isMutating } from './fence-violations.js'
import type { Pair } from './shadow-pair.js'

/** ms between two warnings of broken fences: a runtime that breaks one breaks many */
const WARN_MS = 60_000

/** What the log hears of shadows: ids, codes and the names of calls, never content. */
export function createShadowLog(
  clock: Clock,
  logger: Logger,
): { ended(pair: Pair, end: CandidateEnd): void } {
  let warnedAt = Number.NEGATIVE_INFINITY
  return {
    ended({ turn, kind }, { outcome, observer, fenceViolations }) {
      const { mode, result, latencyMs } = outcome
      const code = outcome.result === 'ok' ? undefined : outcome.code
      logger.debug(
        { ...logIds(turn), kind, mode, result, code, latencyMs: Math.round(latencyMs) },
        'shadow ended',
      )
      const now = clock.monotonic()
      if (fenceViolations === 0 || now - warnedAt < WARN_MS) return
      warnedAt = now
      const calls = observer.calls.filter(isMutating).slice(0, 5)
      logger.warn(
        { ...logIds(turn), fenceViolations, files: observer.files, calls },
        'the runtime seems to change things in a shadow',
      )
    },
  }
}
