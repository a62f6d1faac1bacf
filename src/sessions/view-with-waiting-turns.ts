import type { SessionView } from '../protocol/api.js'
import { type LocalTurn, turnRecordOf } from './local-turn.js'
import { sessionView } from './session-view.js'

/**
 * The session as its owner sees it, with what waits for the database: those it has not got are added, the ends of the others
 * put in their place.
 * @param view as the database has it; undefined: it has none, or cannot be read
 * @param waiting turns of this session and owner, oldest first
 */
export function viewWithWaitingTurns(
  view: SessionView | undefined,
  waiting: readonly LocalTurn[],
): SessionView | undefined {
  const [first] = waiting
  if (first === undefined) return view
  const own = sessionView(
    {
      sessionId: first.turn.sessionId,
      agentId: view?.agentId ?? first.agentId ?? '',
      createdAt: first.startedAt,
    },
    waiting.map(turnRecordOf),
    waiting.find(({ end }) => end === undefined)?.turn.messageId,
  )
  if (view === undefined) return own
  const told = new Map(own.messages.map((message) => [message.id, message]))
  const known = new Set(view.messages.map(({ id }) => id))
  return {
    ...view,
    updatedAt: view.updatedAt > own.updatedAt ? view.updatedAt : own.updatedAt,
    messages: [
      ...view.messages.map((message) => told.get(message.id) ?? message),
      ...own.messages.filter(({ id }) => !known.has(id)),
    ],
  }
}
