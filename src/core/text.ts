// NUL ends a text for libsql's reader (all behind it would be lost), and UTF-8 cannot carry half a surrogate pair.
const SUSPICIOUS = /[\0\ud800-\udfff]/

/** The text as a store can give it back: NUL and lone surrogates become U+FFFD, anything else stays as it is. */
export function storableText(text: string): string {
  if (!SUSPICIOUS.test(text)) return text
  return Buffer.from(text.replaceAll('\0', '\ufffd'), 'utf8').toString('utf8')
}

const LONE_SURROGATE = /\p{Surrogate}/u
const LONE_SURROGATES = /\p{Surrogate}/gu

/** Half surrogate pairs become U+FFFD: UTF-8 cannot carry them, and servers refuse a body that escapes them. */
export function wellFormed(text: string): string {
  return LONE_SURROGATE.test(text) ? text.replace(LONE_SURROGATES, '\ufffd') : text
}

// White space, and the characters that take no room: nobody sees an answer of these.
const VISIBLE = /[^\s\u00ad\u200b-\u200f\u2060]/

/** Whether nothing in the text can be seen. */
export function isBlank(text: string): boolean {
  return !VISIBLE.test(text)
}

/** `1 execution`, `2 executions`; for nouns that take an s. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
