import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff'

/** lines that may differ: the search takes some 75 ms for so many, and four times as long for twice as many */
const MAX_LINES = 1_000

/** Unified, with three lines around each change; empty if nothing differs, null if too much does. */
export function textDiff(file: string, before: string, after: string): string | null {
  if (before === after) return ''
  const options = { context: 3, maxEditLength: MAX_LINES, headerOptions: FILE_HEADERS_ONLY }
  return createTwoFilesPatch(file, file, before, after, undefined, undefined, options) ?? null
}
