const QUOTE = 34
const BACKSLASH = 92
const WORDS = ['NaN', 'Infinity', '-Infinity']

/**
 * Python's `json` writes numbers that JSON does not have. The text with `null` in their place; strings stay as they
 * are. Undefined where there is none: the text is broken in another way.
 */
export function withoutBareNumbers(text: string): string | undefined {
  if (!text.includes('NaN') && !text.includes('Infinity')) return undefined
  let out = ''
  let copied = 0
  let at = 0
  while (at < text.length) {
    if (text.charCodeAt(at) === QUOTE) {
      at = stringEnd(text, at)
      continue
    }
    const word = WORDS.find((bare) => text.startsWith(bare, at))
    if (word === undefined) {
      at += 1
      continue
    }
    out += `${text.slice(copied, at)}null`
    at += word.length
    copied = at
  }
  return copied === 0 ? undefined : out + text.slice(copied)
}

/** Behind the closing quote of the string that opens at `from`. */
function stringEnd(text: string, from: number): number {
  let at = from + 1
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) return at + 1
    at += code === BACKSLASH ? 2 : 1
  }
  return text.length
}
