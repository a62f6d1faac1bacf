import type { MessageBody } from '../protocol/events.js'

/** Characters of one answer that are kept: far above any model's output, it only bounds memory and the store. */
const MAX_KEPT_CHARACTERS = 1_048_576
/** Pieces that are joined at once: added one by one, each would live as long as its stream, and so would a link to it. */
const PIECES = 32

/** The text of an answer as far as it has come; what the history keeps of it. */
export class PartialText {
  #joined = ''
  #pieces: string[] = []
  #length = 0

  get value(): string {
    if (this.#pieces.length > 0) this.#join()
    return this.#joined
  }

  add(batch: readonly MessageBody[]): void {
    for (const body of batch) {
      if (body.type !== 'text' || this.#length >= MAX_KEPT_CHARACTERS) continue
      const { content } = body.data
      this.#length += content.length
      if (this.#pieces.push(content) === PIECES) this.#join()
    }
  }

  #join(): void {
    this.#joined += this.#pieces.join('')
    this.#pieces = []
  }
}
