import type { Faults } from './faults.js'

/** The pieces of an answer: echo of who answered what, or as many and as long as the faults ask for. */
export function answerPieces(
  who: 'direct' | 'runtime',
  message: string,
  turn: number,
  faults: Faults,
): string[] {
  const { events, textBytes } = faults
  if (events !== undefined || textBytes !== undefined) {
    return Array.from({ length: events ?? 20 }, (_, n) => filler(n, textBytes ?? 20))
  }
  const text = `[${who}] Answer ${turn} to: ${message}`
  return text.match(/\S+\s*|\s+/gu) ?? [text]
}

function filler(n: number, bytes: number): string {
  const word = `${n} lorem ipsum dolor sit amet `
  return word.repeat(Math.ceil(bytes / word.length)).slice(0, bytes)
}
