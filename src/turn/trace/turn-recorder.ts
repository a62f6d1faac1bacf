import type { Clock } from '../../core/clock.js'
import type { TraceSpan } from '../../core/tracing/trace-span.js'
import type { TurnFlags } from '../../decision/flags.js'
import { type ExecutionWatch, spanWatch } from '../../execution/execution-watch.js'
import type { Outcome } from '../../execution/outcome.js'
import type { MessageBody } from '../../protocol/events.js'
import type { Decision, ExecutionMode } from '../../protocol/modes.js'
import { type FailedAt, MOST_TRACE_BYTES, type TurnTrace } from '../../protocol/turn-trace.js'
import { type CallListener, StepLog } from './step-log.js'
import {
  AttemptSpans,
  type CountingFlags,
  endTurnSpan,
  type RecordedEnd,
  type TurnIds,
} from './turn-spans.js'

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] }
type Attempt = Mutable<TurnTrace['attempts'][number]>

/** requests of one execution that are kept */
const MOST_REQUESTS = 20

/** Gathers what happens in a turn, for its trace and its spans; nothing of the content. Never throws, never waits. */
export class TurnRecorder {
  readonly #attempts: Attempt[] = []
  readonly #steps: StepLog
  readonly #startedAt: number
  readonly #startedWall: number
  readonly #spans: AttemptSpans | undefined
  #running: Attempt | undefined
  #decided: Pick<TurnTrace, 'decision' | 'flags'> = {}

  /** @param span of the turn; absent: it is in no trace */
  constructor(
    private readonly who: TurnIds,
    private readonly clock: Clock,
    readonly span: TraceSpan | undefined,
  ) {
    this.#startedAt = clock.monotonic()
    this.#startedWall = clock.wall()
    this.#spans = span === undefined ? undefined : new AttemptSpans(span)
    const listener: CallListener | undefined = this.#spans
    this.#steps = new StepLog(who.messageId, listener)
  }

  /** No turn begins: another runs in that session, or there is none. */
  notBegun(why: string): void {
    this.span?.fail(why)
    this.span?.end()
  }

  decided(decision: Decision, { mode, shadow }: TurnFlags, counting: CountingFlags): void {
    this.#decided = { decision, flags: { mode, shadow, ...counting } }
  }

  /** An execution begins. */
  watch(mode: ExecutionMode): ExecutionWatch {
    const attempt: Attempt = { mode, at: this.#now }
    this.#attempts.push(attempt)
    this.#running = attempt
    this.#steps.executionBegan()
    const span = this.#spans?.begin(mode)
    const told = span && spanWatch(span)
    return {
      ...(span === undefined ? {} : { span }),
      connected: () => {
        attempt.connectedAt ??= this.#now
        told?.connected()
      },
      headers: () => {
        attempt.headersAt ??= this.#now
        told?.headers()
      },
      request: (endpoint) => this.#request(attempt, endpoint),
      fileDropped: () => {
        attempt.filesDropped = (attempt.filesDropped ?? 0) + 1
        told?.fileDropped()
      },
    }
  }

  /** Every batch that goes to the reader, in order. */
  saw(batch: readonly MessageBody[]): void {
    // Nearly every batch.
    if (batch.every(isText)) this.#steps.sawTexts(batch.length)
    else if (this.#running === undefined) this.#steps.sawClosing(batch)
    else this.#steps.saw(batch, this.#now)
  }

  /** The execution that was begun last ended. */
  ended(outcome: Outcome): void {
    const attempt = this.#running
    if (attempt === undefined) return
    this.#running = undefined
    const now = this.#now
    const { result, firstContentMs } = outcome
    attempt.durationMs = now - attempt.at
    attempt.result = result
    if (firstContentMs !== undefined) attempt.firstContentAt = Math.round(attempt.at + firstContentMs)
    if (outcome.result !== 'ok') attempt.code = outcome.code
    if ('phase' in outcome) attempt.phase = outcome.phase
    this.#steps.executionEnded(now, result !== 'ok' && result !== 'aborted')
    this.#spans?.end(outcome)
  }

  /** Where the latest execution failed. */
  get failedAt(): FailedAt | undefined {
    return this.#steps.failedAt
  }

  /** The trace as JSON text of bounded size. The spans of the turn end with it. */
  end(end: RecordedEnd): string {
    const { who, span } = this
    if (span !== undefined) endTurnSpan(span, end)
    const steps = this.#steps.entries
    const trace: TurnTrace = {
      sessionId: who.sessionId,
      messageId: who.messageId,
      requestId: who.requestId,
      ...(span === undefined ? {} : { traceId: span.ids.trace_id }),
      startedAt: new Date(this.#startedWall).toISOString(),
      ...this.#decided,
      attempts: this.#attempts,
      ...(end.result.failover === undefined ? {} : { failover: end.result.failover }),
      ...steps,
      end: this.#endOf(end),
    }
    return boundedJson(trace)
  }

  #endOf({ result, status, event }: RecordedEnd): TurnTrace['end'] {
    const shared = { event, status, at: this.#now, executionMode: result.executionMode }
    if (result.kind === 'failed') {
      const { code, phase, runtime } = result
      const { failedAt } = this
      return {
        ...shared,
        code,
        phase,
        ...(failedAt === undefined ? {} : { failedAt }),
        ...(runtime === undefined ? {} : { runtime }),
      }
    }
    const finishReason = result.facts?.finishReason
    return {
      ...shared,
      ...(result.kind === 'aborted' ? { code: result.code } : {}),
      ...(finishReason === undefined ? {} : { finishReason }),
      tokens: result.usage.tokens,
    }
  }

  #request(attempt: Attempt, endpoint: string): (cause: string) => void {
    const request: Mutable<NonNullable<Attempt['requests']>[number]> = { endpoint, at: this.#now }
    attempt.requests ??= []
    if (attempt.requests.length < MOST_REQUESTS) attempt.requests.push(request)
    return (cause) => {
      request.durationMs = this.#now - request.at
      request.cause = cause
    }
  }

  /** whole ms from the turn's start */
  get #now(): number {
    return Math.round(this.clock.monotonic() - this.#startedAt)
  }
}

const isText = ({ type }: MessageBody): boolean => type === 'text'

/** The latest steps and calls make way where the names of a runtime are that long. */
function boundedJson(trace: TurnTrace): string {
  for (let rest = trace; ; ) {
    const json = JSON.stringify(rest)
    if (Buffer.byteLength(json) <= MOST_TRACE_BYTES) return json
    const steps = rest.steps.slice(0, Math.floor(rest.steps.length / 2))
    const calls = rest.calls.slice(0, Math.floor(rest.calls.length / 2))
    const gone = rest.steps.length - steps.length + rest.calls.length - calls.length
    if (gone === 0) return JSON.stringify({ ...rest, attempts: [] })
    rest = { ...rest, steps, calls, dropped: rest.dropped + gone }
  }
}
