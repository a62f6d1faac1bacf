import { errorText } from '../core/errors.js'
import { guarded } from '../core/guarded.js'
import { measuringIn } from '../core/tracing/measured-span.js'
import {
  type ExecuteTurnDeps,
  executeTurn,
  type TurnExecution,
  type TurnSink,
} from '../execution/execute-turn.js'
import type { Outcome } from '../execution/outcome.js'
import type { TurnResult } from '../execution/turn-result.js'
import type { KeptExecution } from '../journal/comparison.js'
import type { MessageBody } from '../protocol/events.js'
import { countedAs } from '../protocol/execution-results.js'
import type { ShadowHandle } from '../shadow/run/shadow-runner.js'
import { type DecidedTurn, isOnlyOverride } from './decide-turn.js'
import { NOT_STARTED } from './end-turn.js'
import type { PartialText } from './partial-text.js'
import type { RunningTurn } from './running-turn.js'
import type { TurnRecorder } from './trace/turn-recorder.js'
import { turnBroke } from './turn-log.js'
import type { TurnReader } from './turn-reader.js'

/** What the execution brought before the reader was open. */
interface Early {
  readonly events: MessageBody[]
  result?: TurnResult
}

/**
 * Executes the turn; what one read brings is written to the reader in the same call. A slow reader holds the execution, and so does one
 * that is not open yet; an abort frees it. The request is made when it returns.
 */
export function relay(decided: DecidedTurn, running: RunningTurn, shadow?: ShadowHandle): Relay {
  const relaying = new Relay(decided, running, shadow)
  relaying.start()
  return relaying
}

/** One object: with many streams each object more costs every event a look into cold memory. */
export class Relay implements TurnSink {
  /** How the turn ended; not before `open`. Never rejects. */
  readonly result: Promise<TurnResult>
  #resolve: (result: TurnResult) => void = () => undefined
  #execution: TurnExecution | undefined
  #reader: TurnReader | undefined
  #early: Early | undefined
  readonly #text: PartialText
  readonly #recorder: TurnRecorder

  constructor(
    private readonly decided: DecidedTurn,
    private readonly running: RunningTurn,
    private readonly shadow: ShadowHandle | undefined,
  ) {
    this.#text = running.text
    this.#recorder = running.recorder
    this.result = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  start(): void {
    const { decided, running, shadow } = this
    const { turn, decision, flags } = decided
    try {
      const told = depsOf(decided, running, shadow)
      const { backends } = running.deps
      this.#execution = executeTurn(turn, decision.mode, backends, flags.guardrails, told, this)
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  /** Its reader: gets what has come meanwhile, then what comes. Once. */
  open(reader: TurnReader): void {
    const early = this.#early
    this.#early = undefined
    this.#reader = reader
    try {
      reader.onRelief(() => this.#execution?.resume())
      const takesMore = early === undefined || early.events.length === 0 || reader.write(early.events)
      if (early?.result !== undefined) this.#end(early.result)
      else if (takesMore) this.#execution?.resume()
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  /** Nobody reads on: gives the execution up, if it has not ended. `result` may stay open. */
  leave(): void {
    guarded(this.running.deps.logger, 'shadow', () => this.shadow?.left())
    this.#execution?.leave()
  }

  /** Of the execution: see `TurnSink`. */
  batch(events: readonly MessageBody[]): boolean {
    try {
      this.#text.add(events)
      this.#recorder.saw(events)
      if (this.shadow !== undefined) this.#tellShadow(this.shadow, events)
      return this.#write(events)
    } catch (thrown) {
      this.#broke(thrown)
      return false
    }
  }

  /** Of the execution: see `TurnSink`. */
  end(result: TurnResult): void {
    try {
      // Also after a stop, which left the reader waiting. Writing to a reader that is gone does nothing.
      if (result.kind !== 'answered' && result.closing !== undefined) this.#write(result.closing)
      this.#end(result)
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  #write(events: readonly MessageBody[]): boolean {
    if (this.#reader !== undefined) return this.#reader.write(events)
    this.#early ??= { events: [] }
    this.#early.events.push(...events)
    return false
  }

  #tellShadow(shadow: ShadowHandle, events: readonly MessageBody[]): void {
    guarded(this.running.deps.logger, 'shadow', () => shadow.saw(events))
  }

  #end(result: TurnResult): void {
    if (this.#reader === undefined) {
      this.#early ??= { events: [] }
      this.#early.result = result
      return
    }
    guarded(this.running.deps.logger, 'shadow', () => this.shadow?.left())
    this.#resolve(result)
  }

  #broke(thrown: unknown): void {
    const { who, deps } = this.running
    turnBroke(deps.logger, { ...who, error: errorText(thrown) })
    this.#execution?.leave()
    this.#end({ ...NOT_STARTED, executionMode: this.decided.decision.mode, phase: 'streaming' })
  }
}

/** What the execution needs, and whom it tells. */
function depsOf(
  decided: DecidedTurn,
  { place, outcomes, after, recorder, deps }: RunningTurn,
  shadow: ShadowHandle | undefined,
): ExecuteTurnDeps {
  const { clock, logger, metrics, fallback, rollout, windows, journal } = deps
  return {
    clock,
    logger,
    signal: place.signal,
    watch: (mode) => recorder.watch(mode),
    onConnected: () => shadow?.underWay(),
    onRuntimeLost: (listener) => fallback.onRuntimeLost(listener),
    ...(isOnlyOverride(decided) ? { mayReturn: () => fallback.mayReturn(decided.turn.caller) } : {}),
    record(ended) {
      const isRollout = decided.decision.reason === 'rollout' && ended.mode === 'runtime_orchestrator'
      const outcome = isRollout ? ({ ...ended, isRollout } as const) : ended
      outcomes.push(outcome)
      guarded(logger, 'traces', () => recorder.ended(outcome))
      guarded(logger, 'metrics', () => measuringIn(recorder.span, () => metrics.recordOutcome(outcome)))
      guarded(logger, 'fallback', () => fallback.record(outcome))
      if (isRollout) guarded(logger, 'rollout', () => rollout.record(outcome))
      // What our own machine lacks is in no rate.
      if (outcome.localFault === undefined) guarded(logger, 'windows', () => windows.record(outcome))
      guarded(logger, 'shadow', () => shadow?.ended(outcome))
      guarded(logger, 'journal', () => {
        const execution = keptExecution(outcome, clock.wall())
        if (execution !== undefined) journal.keepExecution(execution)
      })
    },
    after: (task) => after.push(task),
  }
}

/**
 * An execution of a user's turn as it is kept; undefined for an aborted one: its user ended it, whatever the
 * backend would have done. Who waited for long before leaving is kept for a replay: the fallback judges that. @param at wall-clock ms of its end
 */
function keptExecution(outcome: Outcome, at: number): KeptExecution | undefined {
  const { mode, orgId, agentId, sessionId, latencyMs, firstContentMs } = outcome
  const result = countedAs(outcome)
  if (result === 'aborted') return undefined
  return {
    at,
    mode,
    orgId,
    agentId,
    ...(sessionId === undefined ? {} : { sessionId }),
    result,
    latencyMs,
    ...(firstContentMs === undefined ? {} : { firstContentMs }),
  }
}
