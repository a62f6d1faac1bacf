import type { Clock } from '../../core/clock.js'
import { guarded } from '../../core/guarded.js'
import type { Logger } from '../../core/logger.js'
import type { Turnstile } from '../../core/turnstile.js'
import type { ChatBackend, Turn } from '../../execution/backend.js'
import { leftAllowance, limitsOf, runtimeAllowance } from '../../execution/deadlines.js'
import { Execution, type ExecutionLimits } from '../../execution/execution.js'
import { endExecutionSpan, spanWatch } from '../../execution/execution-watch.js'
import type { Outcome } from '../../execution/outcome.js'
import type { AbortCode } from '../../protocol/execution-codes.js'
import { Observer } from '../compare/observer.js'
import { fenceViolations } from './fence-violations.js'
import { readToEnd } from './read-to-end.js'
import { startShadowSpan } from './shadow-turn.js'

/** The silent side of a shadow run: an execution of its own, watched, its events thrown away. */
export interface Candidate {
  /** Its end is recorded as `aborted`, unless it has ended. */
  abort(code: AbortCode): void
  /** Nothing of it is left, its cancel included. Never rejects. */
  readonly gone: Promise<void>
}

export interface CandidateEnd {
  readonly outcome: Outcome
  readonly observer: Observer
  /** spent: prompt and answer, estimated where the backend does not count; 0 if nothing came back */
  readonly tokens: number
  /** of a runtime alone; an LLM calls nothing */
  readonly fenceViolations: number
}

export interface CandidateDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** of all candidates */
  readonly turnstile: Turnstile
  /** Called exactly once, when the execution ended. */
  onEnd(end: CandidateEnd): void
  /** It sent more than anybody would read. Called before the end, once. */
  onFlood(): void
}

/** An answer, and an agent at work, are far below: a hundred times a long one. */
const MOST_CHARACTERS = 4_000_000
const MOST_EVENTS = 100_000

/** Starts it at once, by the turn's own limits. @param turn behind the fence already */
export function runCandidate(
  backend: ChatBackend,
  turn: Turn,
  limits: ExecutionLimits,
  deps: CandidateDeps,
): Candidate {
  const observer = new Observer()
  const after: Promise<void>[] = []
  const isRuntime = backend.mode === 'runtime_orchestrator'
  const allowance = isRuntime ? runtimeAllowance(limits) : leftAllowance(limits, 0)
  const span = guarded(deps.logger, 'traces', () => startShadowSpan('shadow', turn, backend.mode))
  let flooded = false
  const execution: Execution = new Execution(backend, turn, limitsOf(backend.mode, limits), allowance, {
    clock: deps.clock,
    logger: deps.logger,
    ...(span === undefined ? {} : { watch: () => spanWatch(span) }),
    record(outcome) {
      if (span !== undefined) guarded(deps.logger, 'traces', () => endExecutionSpan(span, outcome))
      deps.onEnd({
        outcome,
        observer,
        tokens: outcome.result === 'ok' || observer.events > 0 ? execution.usage.tokens : 0,
        fenceViolations: isRuntime ? fenceViolations(observer.calls, observer.files) : 0,
      })
    },
    after: (task) => void after.push(task),
  })
  const gone = readToEnd(execution, after, deps.turnstile, (batch) => {
    observer.saw(batch)
    if (flooded || (observer.characters <= MOST_CHARACTERS && observer.events <= MOST_EVENTS)) return
    flooded = true
    deps.onFlood()
  })
  return { gone, abort: (code) => execution.abort(code) }
}
