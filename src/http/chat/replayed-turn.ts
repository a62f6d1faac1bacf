import { splitText } from '../../execution/parse/split-text.js'
import type { SessionView } from '../../protocol/api.js'
import {
  type DoneEvent,
  type ErrorEvent,
  type StreamErrorCode,
  streamErrorCodeSchema,
  type TerminalEvent,
} from '../../protocol/events.js'
import { type TurnTrace, turnTraceSchema } from '../../protocol/turn-trace.js'
import type { Language } from '../edge/language.js'
import { STREAM_FAILURES } from './stream-sentences.js'

/** A turn that has ended, as the history has it. */
export interface EndedTurn {
  readonly sessionId: string
  readonly message: Extract<SessionView['messages'][number], { role: 'assistant' }>
  /** undefined: none was kept, because the process died or an earlier version kept it */
  readonly trace: TurnTrace | undefined
}

export function traceOf(json: string): TurnTrace | undefined {
  const trace = turnTraceSchema.safeParse(JSON.parse(json))
  return trace.success ? trace.data : undefined
}

/** The whole answer at once: one event, more only where its text is too long for one. */
export const textOf = ({ message }: EndedTurn) =>
  splitText(message.content).map((content) => ({ type: 'text' as const, data: { content } }))

/** How its stream ended, from what was kept; `interrupted` where it had no end of its own. */
export function endOf(turn: EndedTurn, language: Language): TerminalEvent {
  const { status } = turn.message
  if (status === 'answered' || status === 'stopped')
    return { event: 'done', data: doneOf(turn, status === 'stopped') }
  return { event: 'error', data: errorOf(turn, language) }
}

function doneOf({ sessionId, message, trace }: EndedTurn, stopped: boolean): DoneEvent {
  const executionMode = trace?.end.executionMode ?? message.executionMode ?? 'direct_llm'
  return {
    sessionId,
    messageId: message.id,
    usage: { tokens: trace?.end.tokens ?? 0, latencyMs: trace?.end.at ?? 0 },
    executionMode,
    decision: trace?.decision ?? { mode: executionMode, reason: 'default', shadow: false },
    ...(trace?.failover === undefined ? {} : { failover: trace.failover }),
    ...(stopped ? { stopped } : {}),
    ...(message.finishReason === undefined ? {} : { finishReason: message.finishReason }),
  }
}

function errorOf({ message, trace }: EndedTurn, language: Language): ErrorEvent {
  const end = trace?.end
  const code = codeOf(end?.code)
  const { recoverable, [language]: sentence } = STREAM_FAILURES[code]
  const details =
    end?.phase === undefined
      ? undefined
      : { phase: end.phase, ...(end.runtime === undefined ? {} : { runtime: end.runtime }), ...end.failedAt }
  return {
    code,
    message: sentence,
    recoverable,
    executionMode: end?.executionMode ?? message.executionMode ?? 'direct_llm',
    ...(details === undefined ? {} : { details }),
  }
}

/** A turn that was given up because its user was gone has no code that a stream ends with. */
function codeOf(code: string | undefined): StreamErrorCode {
  const known = streamErrorCodeSchema.safeParse(code)
  return known.success ? known.data : 'interrupted'
}
