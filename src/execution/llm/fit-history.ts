import type { HistoryMessage } from '../backend.js'

/** What is left of a history that fills a whole context is about half: a turn in the middle stays when it just fits. */
const HALF = 0.55
const SHARES: readonly number[] = [HALF, HALF / 2, 0]

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

/**
 * What is sent after a prompt was too long for the first, second or third time: the newest turns that have about half of the
 * characters, a quarter of those, nothing. Always fewer than there were; undefined after that.
 * @param times 1 for the first
 */
export function shortened(
  history: readonly HistoryMessage[],
  times: number,
): readonly HistoryMessage[] | undefined {
  const share = SHARES[times - 1]
  if (share === undefined || history.length === 0) return undefined
  return newestFitting(history, Math.floor(sizeOf(history) * share))
}

function sizeOf(history: readonly HistoryMessage[]): number {
  return history.reduce((sum, { content }) => sum + content.length, 0)
}

/** Where the turn after this one begins: a history never starts with an answer. */
function nextTurn(history: readonly HistoryMessage[], from: number): number {
  const at = history.findIndex(({ role }, index) => index > from && role === 'user')
  return at === -1 ? history.length : at
}
