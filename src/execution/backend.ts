import type { TraceSpan } from '../core/tracing/trace-span.js'
import type { AgentProfile } from '../decision/agent-profile.js'
import type { Caller } from '../decision/caller.js'
import type { FinishReason, MessageBody } from '../protocol/events.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { ExecutionWatch } from './execution-watch.js'

/** One message of the conversation so far, as backends get it. */
export interface HistoryMessage {
  readonly role: 'user' | 'assistant'
  readonly content: string
}

/** One user message to be answered. */
export interface Turn {
  readonly sessionId: string
  /** id of the answer: `messageId` in the `done` event */
  readonly messageId: string
  /** sent upstream as `X-Request-ID` */
  readonly requestId: string
  readonly caller: Caller
  readonly message: string
  /** oldest first, already trimmed to the budget */
  readonly history: readonly HistoryMessage[]
  readonly profile: AgentProfile
  /**
   * Fields of the LLM's request that the client asked for, by OpenAI's names (`stop`, `temperature`). The runtime gets those
   * alone that `profile` has too.
   */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** names of the direct LLM's endpoints in the order they are asked (flag `chat-llm-route`); absent or none known: all */
  readonly llmRoute?: readonly string[]
  /** Nobody reads the answer: upstreams are told so (`shadow-fence.ts`), and `sessionId` is none of a user's. */
  readonly shadow?: true
  /** the span of the turn, by which log lines are found; absent: it is in no trace */
  readonly span?: TraceSpan
}

/** Tokens of an execution. `estimated` where the backend gave no count. */
export interface Usage {
  readonly tokens: number
  readonly estimated: boolean
  /** the two parts of `tokens`, where they are known or estimated */
  readonly promptTokens?: number
  readonly completionTokens?: number
}

/** By what log lines of the turn are found. */
export const logIds = ({ requestId, sessionId, messageId, span }: Turn) => ({
  requestId,
  sessionId,
  streamId: messageId,
  ...span?.ids,
})

/** What a backend tells of an answer beside its content; each field as soon as it is known, the latest counts. */
export interface AnswerFacts {
  readonly finishReason?: FinishReason
  /** requests sent upstream for this execution, the first included; absent: 1 */
  readonly attempts?: number
  /** the history was cut because the model's context is too small */
  readonly trimmed?: true
}

/** What a backend sends: what the client gets to see, the usage once it is known, and facts of the answer. */
export type BackendEvent =
  | MessageBody
  | { readonly type: 'usage'; readonly data: Usage }
  | { readonly type: 'facts'; readonly data: AnswerFacts }
  /** Work began that the world may have felt, but nothing of it can be shown: no failover any more. */
  | { readonly type: 'committed'; readonly data: null }

/** What the caller of a backend hands to one execution. */
export interface ExecutionCall {
  /** Aborted when the execution is given up; the backend frees everything and ends soon. */
  readonly signal: AbortSignal
  /** ms until a connection stands */
  readonly connectMs: number
  /** ms from the connection to the response head */
  readonly headersMs: number
  /** prefixes of an answer that is a failure in disguise (guardrail `softFailures`; the runtime alone) */
  readonly softFailures: readonly string[]
  /** what requests to upstreams carry on; absent: they are in no trace */
  readonly span?: TraceSpan
  /** looks on; absent: nobody does */
  readonly watch?: ExecutionWatch
  /** A connection stands: the execution is in phase `headers` now. */
  onConnected(): void
  /** A good response head came: the execution is in phase `first_content` now. */
  onHeaders(): void
  /** The request failed and another one follows: the execution is in phase `connect` again. */
  onRetry?(): void
  /** The answer is complete, only a count of it may follow (bounded by the backend): no deadline strikes any more. */
  onComplete(): void
  /**
   * Work that goes on after the execution ended (a cancel under way), bounded and never rejecting.
   * The session takes its next turn when it is done; nothing else waits for it.
   */
  after(task: Promise<void>): void
}

/** What a backend feeds while it executes a turn. Nothing comes from within `execute` itself, and nothing after `end`. */
export interface BackendSink {
  /**
   * The events of one network read. False: the backend sends no other batch before `resume`, and reads no more than it has.
   * An empty batch says that the upstream sent something that is held back: it counts for the gap.
   */
  batch(events: readonly BackendEvent[]): boolean
  /**
   * The answer is complete; or it failed, with an `ExecutionError`. Called exactly once, also after `signal` aborted: then
   * everything is freed, and what it says is ignored.
   */
  end(failure?: unknown): void
}

/** A backend at work on one turn; it is given up by the signal of its call. */
export interface RunningExecution {
  /** More may come, after `batch` said false. */
  resume(): void
}

/** What executes a turn. */
export interface ChatBackend {
  readonly mode: ExecutionMode
  /** @throws where it cannot begin; then the sink hears nothing */
  execute(turn: Turn, call: ExecutionCall, sink: BackendSink): RunningExecution
}
