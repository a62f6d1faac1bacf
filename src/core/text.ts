// NUL ends a text for libsql's reader (all behind it would be lost), and UTF-8 cannot carry half a surrogate pair.
const SUSPICIOUS = /[\0\ud800-\udfff]/

/** The text as a store can give it back: NUL and lone surrogates become U+FFFD, anything else stays as it is. */
export function storableText(text: string): string {
  if (!SUSPICIOUS.test(text)) return text
  return Buffer.from(text.replaceAll('\0', '\ufffd'), 'utf8').toString('utf8')
}
