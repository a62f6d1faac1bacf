import type { TraceSpan } from '../../core/tracing/trace-span.js'
import type { Turn } from '../../execution/backend.js'
import { executionSpan } from '../../execution/execution-watch.js'
import { SHADOW_PREFIX } from '../../execution/upstream/shadow-fence.js'
import type { ExecutionMode } from '../../protocol/modes.js'

/**
 * The same turn behind the fence: what the backend is asked stays, every id that leads to the user's turn is replaced.
 * The request id keeps the user's as its end, so that a person can lay both logs side by side.
 */
export function shadowTurn(turn: Turn, ids: { newId(): string }): Turn {
  const sessionId = `${SHADOW_PREFIX}${ids.newId()}`
  return {
    ...turn,
    sessionId,
    messageId: ids.newId(),
    requestId: `${SHADOW_PREFIX}${turn.requestId}`,
    caller: { ...turn.caller, sessionId },
    shadow: true,
  }
}

/** A trace of its own, linked to the span of the user's turn: it may go on long after that. Undefined where the turn is in no trace. */
export function startShadowSpan(name: string, shadow: Turn, mode: ExecutionMode): TraceSpan | undefined {
  const { name: spanName, kind, attributes } = executionSpan(name, mode)
  return shadow.span?.apart(spanName, {
    kind,
    attributes: { ...attributes, 'chat.shadow': true, 'chat.request.id': shadow.requestId },
  })
}
