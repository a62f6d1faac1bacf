import type { Clock } from '../core/clock.js'
import type { BeginResult, NewTurn, SessionStore } from '../sessions/session-store.js'
import { TurnRefused } from './turn-refused.js'

/** What a client asked for: the first turn of a new session, or the next of its own. */
export type TurnRequest =
  | { readonly kind: 'start'; readonly agentId: string; readonly message: string }
  | { readonly kind: 'next'; readonly sessionId: string; readonly message: string }

export type BegunTurn = Extract<BeginResult, { kind: 'begun' }>

/** ms between two looks at a session that is being released */
const POLL_MS = 50

/**
 * Creates the session, or takes the next turn in it. A session whose last cancel is still under way is waited for,
 * at most `releasingMs`, so that a late cancel cannot hit this turn.
 * @throws TurnRefused `session_unknown` or `turn_running`
 */
export async function beginTurn(
  request: TurnRequest,
  turn: NewTurn,
  deps: { readonly sessions: SessionStore; readonly clock: Clock; readonly releasingMs: number },
): Promise<BegunTurn> {
  if (request.kind === 'start') {
    // Where it is not kept yet, nothing is missing for all that: a new session has no history.
    await deps.sessions.create(turn, request.agentId)
    return { kind: 'begun', agentId: request.agentId, history: [] }
  }
  const giveUpAt = deps.clock.monotonic() + deps.releasingMs
  for (;;) {
    const result = await deps.sessions.begin(turn)
    if (result.kind === 'begun') return result
    if (result.kind === 'not_found') throw new TurnRefused('session_unknown')
    if (!result.releasing || !(await isFreeBy(giveUpAt, turn.sessionId, deps)))
      throw new TurnRefused('turn_running')
  }
}

/** Looks by reads alone: as many tries to begin would each take the write lock that every other turn needs. */
async function isFreeBy(
  giveUpAt: number,
  sessionId: string,
  { sessions, clock }: { readonly sessions: SessionStore; readonly clock: Clock },
): Promise<boolean> {
  while (clock.monotonic() < giveUpAt) {
    await new Promise<void>((resolve) => clock.schedule(POLL_MS, resolve))
    const holder = await sessions.holder(sessionId)
    if (holder !== 'releasing') return holder === 'nobody'
  }
  return false
}
