import type { Attributes } from '@opentelemetry/api'
import type { TraceSpan } from '../../core/tracing/trace-span.js'
import { FLAG_KEYS, type FlagsStatus, type TurnFlags } from '../../decision/flags.js'
import { endExecutionSpan, executionSpan } from '../../execution/execution-watch.js'
import type { Outcome } from '../../execution/outcome.js'
import type { TurnResult } from '../../execution/turn-result.js'
import type { Decision, ExecutionMode } from '../../protocol/modes.js'
import type { TurnTrace } from '../../protocol/turn-trace.js'
import type { CallListener } from './step-log.js'

/**
 * The spans of a turn, by OpenTelemetry's conventions for generative AI (`gen_ai.*`) and feature flags (`feature_flag.*`); what those do
 * not name is `chat.*`. Nothing of the content, and nobody's name, is in them.
 */

export interface TurnIds {
  readonly sessionId: string
  readonly messageId: string
  readonly requestId: string
  readonly orgId: string
}

/** How a turn ended. */
export interface RecordedEnd {
  readonly result: TurnResult
  readonly status: TurnTrace['end']['status']
  readonly event: TurnTrace['end']['event']
}

/** The span of a turn, within that of its request. */
export function startTurnSpan(
  request: TraceSpan,
  { sessionId, messageId, requestId, orgId }: TurnIds,
): TraceSpan {
  return request.child('invoke_agent', {
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.provider.name': 'chat-cutover',
      'gen_ai.conversation.id': sessionId,
      'chat.message.id': messageId,
      'chat.request.id': requestId,
      'chat.org.id': orgId,
    },
  })
}

/** The agent is known once the session has been read. */
export function startDeciding(turn: TraceSpan, agentId: string | undefined): TraceSpan {
  if (agentId !== undefined) {
    turn.rename(`invoke_agent ${agentId}`)
    turn.set({ 'gen_ai.agent.id': agentId })
  }
  return turn.child('decide')
}

const FLAGD = { 'feature_flag.provider.name': 'flagd' }

/** OpenTelemetry's words for why a flag has its value. */
const FLAG_REASONS: Readonly<Record<TurnFlags['mode']['reason'], string>> = {
  targeting_match: 'targeting_match',
  default: 'default',
  code_default: 'default',
  stale: 'stale',
}

/** What counted for one caller of the flags that the service writes: its own word where that is newer than the provider's. */
export interface CountingFlags {
  readonly override: boolean
  readonly rollout: boolean
}

/** What was decided, and by what. */
interface Decided {
  readonly decision: Decision
  readonly flags: TurnFlags
  readonly counting: CountingFlags
  readonly sessionId: string
  readonly resolver: FlagsStatus['resolver']
}

/** One event a flag that decides: key, value, and for whom it was evaluated. */
export function endDeciding(
  span: TraceSpan,
  { decision, flags, counting, sessionId, resolver }: Decided,
): void {
  // A module's provider has a name of its own, which is not known here. The service's own flags are never asked for there.
  const operators = resolver === 'provider' ? {} : FLAGD
  const evaluated = (key: string, value: string | boolean, provider: Attributes, reason?: string): void =>
    span.event('feature_flag.evaluation', {
      'feature_flag.key': key,
      'feature_flag.result.value': value,
      ...(reason === undefined ? {} : { 'feature_flag.result.reason': reason }),
      'feature_flag.context.id': sessionId,
      ...provider,
    })
  evaluated(FLAG_KEYS.mode, flags.mode.value, operators, FLAG_REASONS[flags.mode.reason])
  evaluated(FLAG_KEYS.override, counting.override, FLAGD)
  evaluated(FLAG_KEYS.rollout, counting.rollout, FLAGD)
  evaluated(FLAG_KEYS.shadow, flags.shadow, operators)
  span.set({
    'chat.decision.mode': decision.mode,
    'chat.decision.reason': decision.reason,
    'chat.decision.shadow': decision.shadow,
  })
  span.end()
}

/** Ends the span of the turn with what became of it. */
export function endTurnSpan(span: TraceSpan, { result, status }: RecordedEnd): void {
  span.set({ 'chat.execution_mode': result.executionMode, 'chat.outcome': status })
  if (result.kind === 'failed') {
    span.set({ 'chat.phase': result.phase })
    span.fail(result.code)
  } else {
    const finishReason = result.facts?.finishReason
    if (finishReason !== undefined) span.set({ 'gen_ai.response.finish_reasons': [finishReason] })
    if (result.kind === 'aborted') span.set({ 'chat.abort': result.code })
    span.set({ 'chat.usage.tokens': result.usage.tokens, 'chat.usage.estimated': result.usage.estimated })
  }
  span.end()
}

/** The spans of a turn's executions, one after the other, and of the calls that the runtime tells of. */
export class AttemptSpans implements CallListener {
  #count = 0
  #span: TraceSpan | undefined
  #failed: { readonly span: TraceSpan; readonly outcome: Outcome } | undefined
  readonly #calls = new Map<string, TraceSpan>()

  constructor(private readonly turn: TraceSpan) {}

  /** A second one follows a failover, and is linked to the one that failed. */
  begin(mode: ExecutionMode): TraceSpan {
    this.#count += 1
    const failed = this.#failed
    // Now, and not when the turn ends: a tracing backend shows the event where its time is.
    if (failed !== undefined) this.turn.event('failover', failoverEvent(failed.outcome))
    const { name, kind, attributes } = executionSpan('attempt', mode)
    this.#span = this.turn.child(name, {
      kind,
      attributes: { ...attributes, 'chat.attempt': this.#count },
      ...(failed === undefined ? {} : { links: [failed.span.link(failoverAttributes(failed.outcome))] }),
    })
    return this.#span
  }

  end(outcome: Outcome): void {
    const span = this.#span
    if (span === undefined) return
    this.#span = undefined
    this.#failed = { span, outcome }
    endExecutionSpan(span, outcome)
  }

  began({ callId, kind, name, serverId }: Call): void {
    const span = this.#span?.child(`execute_tool ${name}`, {
      attributes: {
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': name,
        'gen_ai.tool.type': kind === 'tool' ? 'function' : 'extension',
        'gen_ai.tool.call.id': callId,
        'chat.call.kind': kind,
        ...(serverId === undefined ? {} : { 'chat.mcp.server': serverId }),
      },
    })
    if (span !== undefined) this.#calls.set(callId, span)
  }

  ended({ callId, status }: Call): void {
    const span = this.#calls.get(callId)
    if (span === undefined) return
    this.#calls.delete(callId)
    if (status !== 'success') span.fail(status)
    span.end()
  }
}

type Call = TurnTrace['calls'][number]

const failoverAttributes = (outcome: Outcome) => ({
  'chat.failover.from': outcome.mode,
  ...(outcome.result === 'ok' ? {} : { 'chat.failover.cause': outcome.code }),
})

const failoverEvent = (outcome: Outcome) => ({
  ...failoverAttributes(outcome),
  ...('phase' in outcome ? { 'chat.failover.phase': outcome.phase } : {}),
  'chat.failover.after_ms': Math.round(outcome.latencyMs),
})
