import type { Clock } from '../core/clock.js'
import type { HistoryMessage } from '../execution/backend.js'
import type { BeginResult, NewTurn, SessionStore } from '../sessions/session-store.js'
import { TurnRefused } from './turn-refused.js'

/** What a client asked for: the first turn of a new session, the next of its own, or a turn of no session. */
export type TurnRequest =
  | { readonly kind: 'start'; readonly agentId: string; readonly message: string }
  | { readonly kind: 'next'; readonly sessionId: string; readonly message: string }
  | SingleTurn

/** A turn that brings its history with it, and of which no session is kept. */
export interface SingleTurn {
  readonly kind: 'single'
  readonly agentId: string
  readonly message: string
  /** oldest first; goes to the backend as it is */
  readonly history: readonly HistoryMessage[]
  /**
   * In place of a session's id: turns of one bucket are decided alike, in flags and fallback. Visible ASCII, at most 200 characters.
   * Turns of one bucket may run at the same time.
   */
  readonly bucket: string
  /** follows the one of the agent profile */
  readonly systemPrompt?: string
  /** fields of the LLM's request, by OpenAI's names; `temperature` and `max_tokens` win over the agent profile */
  readonly parameters: Readonly<Record<string, unknown>>
  /** The runtime cannot do what is asked: the turn stays with the direct LLM whatever the flags say. */
  readonly directOnly: boolean
}

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
    // It need not be kept yet: a new session has no history to read.
    await deps.sessions.create(turn, request.agentId)
    return { kind: 'begun', agentId: request.agentId, history: [] }
  }
  if (request.kind === 'single') return { kind: 'begun', agentId: request.agentId, history: [] }
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
