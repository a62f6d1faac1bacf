/** levels of brackets a document may have: readers of trees go down by calls, and no flag needs a tenth of it */
export const MAX_JSON_DEPTH = 256

/** Where a JSON text first goes deeper than {@link MAX_JSON_DEPTH}; what stands in a string is no bracket. */
export function tooDeepAt(text: string): number | undefined {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted && character === '\\') at += 1
    else if (character === '"') quoted = !quoted
    else if (!quoted && (character === '[' || character === '{')) depth += 1
    else if (!quoted && (character === ']' || character === '}')) depth -= 1
    if (depth > MAX_JSON_DEPTH) return at
  }
  return undefined
}
