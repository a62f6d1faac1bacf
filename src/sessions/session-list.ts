import { type SessionPlace, type SessionSummary, TITLE_CHARACTERS } from './session-store.js'
import type { SessionRecord, TurnRecord } from './session-view.js'

/** @param turns all of the session, oldest first */
export function sessionSummary(session: SessionRecord, turns: readonly TurnRecord[]): SessionSummary {
  const { sessionId, agentId, createdAt } = session
  const newest = turns.at(-1)
  return {
    sessionId,
    agentId,
    createdAt,
    updatedAt: newest?.endedAt ?? newest?.startedAt ?? createdAt,
    turns: turns.length,
    title: titleOf(turns[0]?.message ?? ''),
  }
}

/** The first characters, as SQLite counts them: by code points. */
const titleOf = (message: string): string =>
  [...message.slice(0, 2 * TITLE_CHARACTERS)].slice(0, TITLE_CHARACTERS).join('')

/** Sorts a list: by creation, those of the same ms by their id. */
export function newestFirst(a: SessionPlace, b: SessionPlace): number {
  return b.createdAt - a.createdAt || (a.sessionId < b.sessionId ? 1 : a.sessionId > b.sessionId ? -1 : 0)
}

/** Comes after that place in a list. */
export const isBefore = (session: SessionPlace, place: SessionPlace | undefined): boolean =>
  place === undefined || newestFirst(place, session) < 0
