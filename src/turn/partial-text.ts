import type { MessageBody } from '../protocol/events.js'

/** Characters of one answer that are kept: far above any model's output, it only bounds memory and the store. */
const MAX_KEPT_CHARACTERS = 1_048_576

/** The text of an answer as far as it has come; what the history keeps of it. */
export interface PartialText {
  readonly value: string
  add(batch: readonly MessageBody[]): void
}

export function createPartialText(): PartialText {
  let value = ''
  return {
    get value() {
      return value
    },
    add(batch) {
      for (const body of batch) {
        if (body.type !== 'text' || value.length >= MAX_KEPT_CHARACTERS) continue
        value += body.data.content
      }
    },
  }
}
