import type { Clock } from '../../core/clock.js'
import type { SessionOwner, SessionStore } from '../../sessions/session-store.js'
import type { TurnRegistry } from '../../turn/turn-registry.js'
import type { FleetStreams } from '../fleet/fleet-streams.js'
import type { Streams } from '../stream/streams.js'

/** ms for a turn that was told to stop: its replica looks once a second, and keeps its end */
const STOP_MS = 3_000
/** ms between two looks whether it has ended */
const LOOK_MS = 50

export interface EraseSessionDeps {
  readonly sessions: SessionStore
  readonly turns: TurnRegistry
  readonly clock: Clock
  readonly streams: Pick<Streams, 'erase'>
  readonly fleet?: Pick<FleetStreams, 'messages'>
}

/** A turn of this process stops now; one of another replica by Redis, or when it next looks at its mark. */
export function stopTurn(
  messageId: string,
  { turns, fleet }: Pick<EraseSessionDeps, 'turns' | 'fleet'>,
): void {
  if (!turns.abort(messageId, 'stopped')) fleet?.messages.tell({ kind: 'stop', messageId })
}

/**
 * Erases a session for good; a turn that runs in it is stopped first.
 * @returns false if the owner has no such session
 * @throws SessionStoreUnavailable
 */
export async function eraseSession(
  sessionId: string,
  owner: SessionOwner,
  { sessions, turns, clock, streams, fleet }: EraseSessionDeps,
): Promise<boolean> {
  const found = await sessions.requestStop(sessionId, owner)
  if (found === undefined) return false
  if (found.messageId !== undefined)
    stopTurn(found.messageId, { turns, ...(fleet === undefined ? {} : { fleet }) })
  if (found.stopped) await turnEnded(sessionId, sessions, clock)
  if (!(await sessions.delete(sessionId, owner))) return false
  streams.erase(sessionId)
  return true
}

/** Ends when the session's turn has, or its time is over: then it is erased while it runs, and kept nowhere. */
async function turnEnded(
  sessionId: string,
  sessions: Pick<SessionStore, 'holder'>,
  clock: Clock,
): Promise<void> {
  const endAt = clock.monotonic() + STOP_MS
  while (clock.monotonic() < endAt && (await sessions.holder(sessionId)) === 'running')
    await new Promise<void>((resolve) => clock.schedule(LOOK_MS, resolve))
}
