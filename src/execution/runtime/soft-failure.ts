/**
 * Finds the runtime's failures in disguise: an error sent as an ordinary answer (guardrail `softFailures`, a list of
 * prefixes). Pure state; the caller sends what it lets pass.
 */

/** What may be sent of a `text_chunk` now; undefined when the answer is a failure in disguise. */
export type Screened = string | undefined

/** Characters that are remembered: enough to see how the text before a chunk ends. */
const TAIL = 256

const CLOSING = new Set('"\'”’」』）)]*_`')
// A colon ends no sentence: what follows one is quoted, as "The log says:".
const ENDS = new Set('.!?。！？…\n\r')

export class SoftFailureScreen {
  readonly #prefixes: readonly string[]
  readonly #shortest: number
  /** all text so far while the answer opens, held text included; afterwards its end alone */
  #text = ''
  /** characters of `#text` that were let pass, while the text is still opening */
  #passed = 0
  #opening: boolean
  /** a chunk in mid-sentence that may be the apology: the next event tells; not yet in `#text` */
  #suspect = ''

  constructor(prefixes: readonly string[]) {
    this.#prefixes = prefixes
    this.#shortest = prefixes.reduce(
      (least, prefix) => Math.min(least, prefix.length),
      Number.POSITIVE_INFINITY,
    )
    this.#opening = prefixes.length > 0
  }

  /** The next `text_chunk`; an empty string passes nothing on (it is held, or there was nothing). */
  take(chunk: string): Screened {
    if (this.#opening) return this.#takeOpening(chunk)
    const before = this.release()
    if (chunk.length > this.#shortest && this.#begins(chunk)) {
      if (endsSentence(this.#text)) return undefined
      this.#suspect = chunk
      return before
    }
    this.#remember(chunk)
    return before === '' ? chunk : before + chunk
  }

  /** Held text, let pass because a committing event follows or the answer has come to a good end. */
  release(): string {
    if (!this.#opening) {
      const suspect = this.#suspect
      if (suspect === '') return ''
      this.#suspect = ''
      this.#remember(suspect)
      return suspect
    }
    const held = this.#text.slice(this.#passed)
    this.#passed = this.#text.length
    return held
  }

  get holds(): boolean {
    return this.#suspect !== '' || (this.#opening && this.#passed < this.#text.length)
  }

  /** Whether a chunk in mid-sentence is held: an answer that is complete right behind it was cut off by a failure. */
  get suspects(): boolean {
    return this.#suspect !== ''
  }

  /** Whether any text came, held or passed on. */
  get empty(): boolean {
    return this.#text === ''
  }

  /** Whether `final_response` is a failure. It is another text than what was sent then: that would have failed before. */
  failsFinally(finalResponse: string): boolean {
    return this.#prefixes.some((prefix) => finalResponse.startsWith(prefix))
  }

  #takeOpening(chunk: string): Screened {
    this.#text += chunk
    const text = this.#text
    if (this.#prefixes.some((prefix) => text.startsWith(prefix))) return undefined
    if (this.#prefixes.some((prefix) => prefix.startsWith(text))) return ''
    const rest = this.release()
    this.#opening = false
    return rest
  }

  #begins(chunk: string): boolean {
    return this.#prefixes.some((prefix) => chunk.length > prefix.length && chunk.startsWith(prefix))
  }

  #remember(chunk: string): void {
    // Nearly always the chunk itself tells how the text ends; a copy of the whole answer would live as long as the stream.
    this.#text = isTrailing(chunk) ? (this.#text + chunk).slice(-TAIL) : chunk
  }
}

/** Whether the text is empty or its last sentence or line has ended; trailing spaces and closing quotes do not matter. */
export function endsSentence(text: string): boolean {
  const at = lastOf(text)
  return at < 0 || ENDS.has(text.charAt(at))
}

/** Whether nothing but what may stand behind a sentence is in the text. */
const isTrailing = (text: string): boolean => lastOf(text) < 0

/** Where the last character is that tells whether a sentence has ended. */
function lastOf(text: string): number {
  let at = text.length - 1
  while (at >= 0 && isSpace(text.charAt(at))) at -= 1
  while (at >= 0 && CLOSING.has(text.charAt(at))) at -= 1
  return at
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\u00a0' || character === '\u3000'
}
