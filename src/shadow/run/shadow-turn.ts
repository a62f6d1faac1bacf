import type { Turn } from '../../execution/backend.js'
import { SHADOW_PREFIX } from '../../execution/upstream/shadow-fence.js'

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
