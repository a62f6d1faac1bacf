import { wellFormed } from '../../core/text.js'

/** Joins a surrogate pair that was split over two pieces of a text; a half that finds no other becomes U+FFFD. */
export class SurrogateJoin {
  #half = ''

  /** The next piece; without its last character where that is the first half of a pair. */
  take(piece: string): string {
    const whole = this.#half === '' ? piece : this.#half + piece
    const last = whole.charCodeAt(whole.length - 1)
    if (last < 0xd800 || last > 0xdbff) {
      this.#half = ''
      return wellFormed(whole)
    }
    this.#half = whole.slice(-1)
    return wellFormed(whole.slice(0, -1))
  }

  /** What is left when nothing more comes. */
  end(): string {
    const left = this.#half === '' ? '' : '\ufffd'
    this.#half = ''
    return left
  }
}
