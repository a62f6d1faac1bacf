const OPEN = '<think>'
const CLOSE = '</think>'

export type TextSink = (text: string) => void

/**
 * Takes a `<think>` block at the very start of an answer out of its text. Its tags may be split anywhere; what may be
 * the beginning of one is held until it is known. Once the text has begun nothing is looked for any more.
 */
export class ThinkTagReader {
  #state: 'opening' | 'thinking' | 'text' = 'opening'
  #held = ''

  constructor(
    private readonly text: TextSink,
    private readonly thinking: TextSink,
  ) {}

  /** Nothing is held and nothing is looked for: text needs not come by here. */
  get passed(): boolean {
    return this.#state === 'text'
  }

  take(content: string): void {
    if (this.#state === 'text') this.text(content)
    else if (this.#state === 'opening') this.#open(this.#held + content)
    else this.#think(this.#held + content)
  }

  /** The answer is over: what was held is what it looks like. */
  end(): void {
    const held = this.#held
    this.#held = ''
    this.#emit(this.#state === 'thinking' ? this.thinking : this.text, held)
  }

  #open(content: string): void {
    const begun = content.trimStart()
    if (begun.startsWith(OPEN)) {
      this.#state = 'thinking'
      this.#held = ''
      this.#think(begun.slice(OPEN.length))
    } else if (OPEN.startsWith(begun)) {
      this.#held = content
    } else {
      this.#state = 'text'
      this.#held = ''
      this.text(content)
    }
  }

  #think(content: string): void {
    const at = content.indexOf(CLOSE)
    if (at === -1) {
      const begun = tagBegun(content)
      this.#held = content.slice(content.length - begun)
      this.#emit(this.thinking, content.slice(0, content.length - begun))
      return
    }
    this.#state = 'text'
    this.#held = ''
    this.#emit(this.thinking, content.slice(0, at))
    this.#emit(this.text, content.slice(at + CLOSE.length))
  }

  #emit(sink: TextSink, text: string): void {
    if (text !== '') sink(text)
  }
}

/** Characters at the end that may be the beginning of the closing tag. */
function tagBegun(content: string): number {
  for (let length = Math.min(CLOSE.length - 1, content.length); length > 0; length -= 1) {
    if (content.endsWith(CLOSE.slice(0, length))) return length
  }
  return 0
}
