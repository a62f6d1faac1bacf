import type { MessageBody } from '../protocol/events.js'

/** Characters of one answer that are kept: far above any model's output, it only bounds memory and the store. */
const MAX_KEPT_CHARACTERS = 1_048_576

/** The text of an answer as far as it has come; what the history keeps of it. */
export class PartialText {
  #value = ''

  get value(): string {
    return this.#value
  }

  add(batch: readonly MessageBody[]): void {
    for (const body of batch) {
      if (body.type !== 'text' || this.#value.length >= MAX_KEPT_CHARACTERS) continue
      this.#value += body.data.content
    }
  }
}
