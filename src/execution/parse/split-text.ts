/** UTF-8 bytes a `text` event may carry: an event then fits one socket write, which old clients rely on. */
export const MAX_TEXT_BYTES = 8192

// No UTF-16 unit needs more than three bytes of UTF-8, so anything this short is within the bound unseen.
const SURELY_SHORT = Math.floor(MAX_TEXT_BYTES / 3)

/**
 * The text in order, in pieces of at most `MAX_TEXT_BYTES` UTF-8 bytes, a surrogate pair never parted.
 * Empty text has no pieces.
 */
export function splitText(text: string): readonly string[] {
  if (text === '') return []
  if (text.length <= SURELY_SHORT || Buffer.byteLength(text) <= MAX_TEXT_BYTES) return [text]
  const pieces: string[] = []
  for (let start = 0; start < text.length; ) {
    const end = pieceEnd(text, start)
    pieces.push(text.slice(start, end))
    start = end
  }
  return pieces
}

function pieceEnd(text: string, start: number): number {
  let bytes = 0
  let at = start
  while (at < text.length) {
    const code = text.codePointAt(at) ?? 0
    bytes += utf8Length(code)
    if (bytes > MAX_TEXT_BYTES) return at
    at += code > 0xffff ? 2 : 1
  }
  return at
}

function utf8Length(codePoint: number): number {
  if (codePoint < 0x80) return 1
  if (codePoint < 0x800) return 2
  return codePoint < 0x10000 ? 3 : 4
}
