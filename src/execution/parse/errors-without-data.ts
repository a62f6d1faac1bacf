const NAMES = ['event: error', 'event:error'] as const
const LINE = /event: ?error(\r\n|\n|\r)/g

/**
 * Gives each line `event: error` of a stream an empty line of data, for an event without data is none by the standard, and
 * some servers tell an error by its name alone. Takes text split anywhere; what may be the beginning of such a line waits.
 */
export class BareErrors {
  #held = ''
  #atLineStart = true

  take(text: string): string {
    const all = this.#held + text
    const held = this.#beginning(all)
    const whole = held === '' ? all : all.slice(0, -held.length)
    this.#held = held
    return this.#filled(whole)
  }

  /** The last line of the text, where it is not over and may become one. */
  #beginning(text: string): string {
    const start = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1
    if (start === 0 && !this.#atLineStart) return ''
    const last = text.slice(start)
    return NAMES.some((name) => name.startsWith(last)) ? last : ''
  }

  #filled(text: string): string {
    if (text === '') return text
    const atStart = this.#atLineStart
    this.#atLineStart = isLineEnd(text.at(-1))
    if (!NAMES.some((name) => text.includes(name))) return text
    return text.replace(LINE, (line, ending: string, offset: number) =>
      (offset === 0 ? atStart : isLineEnd(text[offset - 1])) ? `${line}data:${ending}` : line,
    )
  }
}

const isLineEnd = (character: string | undefined): boolean => character === '\n' || character === '\r'
