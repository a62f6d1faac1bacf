import { isBlank } from '../core/text.js'
import type { HistoryMessage } from '../execution/backend.js'
import type { PastTurn } from './session-store.js'

/** Turns of history a backend ever gets, however short they are: bounds the work of one `begin`. */
export const MAX_HISTORY_TURNS = 500

/** Size of a turn in the budget: UTF-16 code units of both messages, the unit of `CHAT_HISTORY_BUDGET`. */
export const turnSize = (turn: PastTurn): number => turn.message.length + turn.text.length

/** What the answer takes of the budget: 0 if nobody can see it, so that its turn is left out. */
export const visibleSize = (text: string): number => (isBlank(text) ? 0 : text.length)

/**
 * The newest turns that fit into the budget, oldest first. Rules, which the SQLite store repeats in its query:
 * a turn without visible text is left out whole (a question nobody answered misleads a model, and some servers refuse
 * an empty answer); a turn that could never fit
 * is left out too, for half a message is worse than none; the first other turn that does not fit any more ends the
 * history, so that it has no holes but those.
 */
export function newestWithin(past: readonly PastTurn[], budgetCharacters: number): PastTurn[] {
  const newest: PastTurn[] = []
  let room = budgetCharacters
  for (let index = past.length - 1; index >= 0 && newest.length < MAX_HISTORY_TURNS; index -= 1) {
    const turn = past[index]
    if (turn === undefined || isBlank(turn.text)) continue
    const size = turnSize(turn)
    if (size > budgetCharacters) continue
    if (size > room) break
    room -= size
    newest.push(turn)
  }
  return newest.reverse()
}

/** The turns as a backend gets them: the user's message and the (perhaps partial) answer of each, in their order. */
export function historyMessages(turns: readonly PastTurn[]): HistoryMessage[] {
  return turns.flatMap((turn): HistoryMessage[] => [
    { role: 'user', content: turn.message },
    { role: 'assistant', content: turn.text },
  ])
}
