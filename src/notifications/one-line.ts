/** characters of a person's words that a sentence repeats */
const MAX_WORDS = 500

/** Foreign text cannot break out of its line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS).replace(/[\ud800-\udbff]$/, '')}…` : line
}
