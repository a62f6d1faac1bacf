import { unreachable } from '../../core/errors.js'
import type { TurnResult } from '../../execution/turn-result.js'
import type { DoneEvent, ErrorEvent, StreamErrorCode, TerminalEvent } from '../../protocol/events.js'
import type { TurnFacts, TurnKept } from '../../turn/turn-reader.js'
import type { Language } from '../edge/language.js'
import { STREAM_FAILURES } from './stream-sentences.js'

/** What the terminal event says beside the result. */
export interface TerminalFacts extends TurnFacts {
  readonly language: Language
}

/**
 * The one event that ends the stream; undefined if no reader is left to get it.
 * A `done` promises that the answer is in the history, or says `history: unavailable`.
 */
export function terminalEvent(
  result: TurnResult,
  kept: TurnKept,
  facts: TerminalFacts,
): TerminalEvent | undefined {
  switch (result.kind) {
    case 'answered':
      return done(result, kept, facts)
    case 'failed':
      return failed(result.code, result, facts, failureDetails(result, facts))
    case 'aborted':
      return abortedTerminal(result, kept, facts)
    default:
      return unreachable(result)
  }
}

type Aborted = Extract<TurnResult, { kind: 'aborted' }>

function abortedTerminal(result: Aborted, kept: TurnKept, facts: TerminalFacts): TerminalEvent | undefined {
  switch (result.code) {
    case 'stopped':
      return done(result, kept, facts, true)
    case 'shutting_down':
    case 'superseded':
      return failed(result.code, result, facts)
    case 'client_gone':
    case 'client_too_slow':
      return undefined
    default:
      return unreachable(result.code)
  }
}

function done(
  result: Exclude<TurnResult, { kind: 'failed' }>,
  kept: TurnKept,
  facts: TerminalFacts,
  stopped = false,
): TerminalEvent {
  const { tokens, estimated } = result.usage
  const latencyMs = Math.round(facts.latencyMs)
  const data: DoneEvent = {
    sessionId: facts.sessionId,
    messageId: facts.messageId,
    usage: { tokens, latencyMs, ...(estimated ? { estimated } : {}) },
    executionMode: result.executionMode,
    decision: facts.decision,
    ...(result.failover === undefined ? {} : { failover: result.failover }),
    ...(stopped ? { stopped } : {}),
    ...(kept === 'kept' && facts.history === undefined ? {} : { history: 'unavailable' as const }),
    ...result.facts,
  }
  return { event: 'done', data }
}

function failed(
  code: StreamErrorCode,
  { executionMode }: TurnResult,
  { language }: TerminalFacts,
  details?: ErrorEvent['details'],
): TerminalEvent {
  const { recoverable, [language]: message } = STREAM_FAILURES[code]
  const data = { code, message, recoverable, executionMode, ...(details === undefined ? {} : { details }) }
  return { event: 'error', data }
}

/** Field by field: the details are the public contract, whatever else a backend may hang on them. */
function failureDetails(
  result: Extract<TurnResult, { kind: 'failed' }>,
  { failedAt }: TerminalFacts,
): ErrorEvent['details'] {
  const { httpStatus, upstreamCode, traceId } = result.details
  return {
    phase: result.phase,
    ...(httpStatus === undefined ? {} : { httpStatus }),
    ...(upstreamCode === undefined ? {} : { upstreamCode }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(result.runtime === undefined ? {} : { runtime: result.runtime }),
    ...failedAt,
  }
}
