import type { ThinkTags } from '../../llm/endpoint.js'
import type { BackendEvent } from '../backend.js'
import { type Foreign, isForeign } from '../parse/foreign.js'
import { splitText } from '../parse/split-text.js'
import { SurrogateJoin } from '../parse/surrogates.js'
import { ThinkTagReader } from './think-tags.js'

/** Turns the deltas of one answer into text and thinking, in order. Pure: no IO, no time. */
export class LlmContent {
  /** The model declined, in a field of its own. */
  refused = false
  #out: BackendEvent[] = []
  readonly #text = new SurrogateJoin()
  readonly #thought = new SurrogateJoin()
  readonly #tags: ThinkTagReader | undefined

  constructor(thinkTags: ThinkTags) {
    if (thinkTags === 'off') return
    this.#tags = new ThinkTagReader(
      (text) => this.#pushText(text),
      (text) => this.#pushThinking(text),
    )
  }

  take(delta: Foreign, out: BackendEvent[]): void {
    this.#out = out
    // Some servers send the same under two names.
    const thought = textOf(delta.reasoning_content) ?? textOf(delta.reasoning) ?? textOf(delta.thinking)
    if (thought !== undefined) this.#thinking(thought)
    const { content } = delta
    if (typeof content === 'string') this.#content(content)
    else if (Array.isArray(content)) for (const part of content) this.#part(part)
    if (typeof delta.refusal === 'string') this.#refusal(delta.refusal)
  }

  /** The answer is over: what was held because more might have come. */
  end(out: BackendEvent[]): void {
    this.#out = out
    const left = this.#text.end()
    if (left !== '') this.#tagged(left)
    this.#tags?.end()
    const thought = this.#thought.end()
    if (thought !== '') this.#pushThinking(thought)
  }

  #part(part: unknown): void {
    if (typeof part === 'string') this.#content(part)
    if (!isForeign(part)) return
    if (part.type === 'text' && typeof part.text === 'string') this.#content(part.text)
    else if (part.type === 'thinking' || part.type === 'reasoning') this.#thinkingPart(part)
    else if (part.type === 'refusal' && typeof part.refusal === 'string') this.#refusal(part.refusal)
  }

  /** Its text is a string, or again parts of text. */
  #thinkingPart(part: Foreign): void {
    const said = part.thinking ?? part.reasoning ?? part.text
    if (typeof said === 'string') this.#thinking(said)
    else if (Array.isArray(said)) {
      for (const piece of said) {
        if (isForeign(piece) && typeof piece.text === 'string') this.#thinking(piece.text)
      }
    }
  }

  #refusal(text: string): void {
    if (text === '') return
    this.refused = true
    this.#content(text)
  }

  #content(content: string): void {
    if (content === '') return
    const joined = this.#text.take(content)
    if (joined !== '') this.#tagged(joined)
  }

  #tagged(text: string): void {
    if (this.#tags === undefined || this.#tags.passed) this.#pushText(text)
    else this.#tags.take(text)
  }

  #thinking(text: string): void {
    const joined = this.#thought.take(text)
    if (joined !== '') this.#pushThinking(joined)
  }

  #pushText(text: string): void {
    for (const content of splitText(text)) this.#out.push({ type: 'text', data: { content } })
  }

  #pushThinking(text: string): void {
    for (const content of splitText(text)) this.#out.push({ type: 'thinking', data: { content } })
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
