import type { HistoryMessage } from '../backend.js'

/** What is left of a history that fills a whole context is about half: a turn in the middle stays when it just fits. */
const HALF = 0.55

/** The newest whole turns that fit. @param characters UTF-16 code units of all messages together */
export function newestFitting(
  history: readonly HistoryMessage[],
  characters: number,
): readonly HistoryMessage[] {
  let size = sizeOf(history)
  let from = 0
  while (size > characters && from < history.length) {
    const next = nextTurn(history, from)
    size -= sizeOf(history.slice(from, next))
    from = next
  }
  return from === 0 ? history : history.slice(from)
}

/** The newest turns that have about half of the characters; always fewer than there were. */
export function newerHalf(history: readonly HistoryMessage[]): readonly HistoryMessage[] {
  return newestFitting(history, Math.floor(sizeOf(history) * HALF))
}

function sizeOf(history: readonly HistoryMessage[]): number {
  return history.reduce((sum, { content }) => sum + content.length, 0)
}

/** Where the turn after this one begins: a history never starts with an answer. */
function nextTurn(history: readonly HistoryMessage[], from: number): number {
  const at = history.findIndex(({ role }, index) => index > from && role === 'user')
  return at === -1 ? history.length : at
}
