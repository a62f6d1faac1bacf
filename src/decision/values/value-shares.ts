/** evaluations after which older ones weigh half: a share follows the last few dozen */
const HALVED_AT = 64

interface Seen<T> {
  readonly value: T
  readonly name: string
  weight: number
}

/**
 * What one flag gave to different sessions since it last changed: each value with its share. The values are few (a mode, a
 * boolean), and so is what is kept.
 */
export class ValueShares<T> {
  #seen: Seen<T>[] = []
  #version: number | string | undefined

  constructor(private readonly nameOf: (value: T) => string) {}

  /** Another `version` of the flag makes what is known of the one before worthless. */
  note(value: T, version: number | string): void {
    if (version !== this.#version) this.#seen = []
    this.#version = version
    const name = this.nameOf(value)
    const at = this.#seen.findIndex((known) => known.name === name)
    const weight = (this.#seen[at]?.weight ?? 0) + 1
    if (at < 0) this.#seen.push({ value, name, weight })
    else this.#seen[at] = { value, name, weight }
    // Sorted, so that a place always falls to the same value while the shares stay.
    if (at < 0) this.#seen.sort((a, b) => (a.name < b.name ? -1 : 1))
    if (this.#total() > HALVED_AT) for (const known of this.#seen) known.weight /= 2
  }

  /** The value whose share holds this place (0 to below 1); `undefined` where none was seen. */
  at(place: number): T | undefined {
    let left = place * this.#total()
    for (const { value, weight } of this.#seen) {
      if (left < weight) return value
      left -= weight
    }
    return this.#seen.at(-1)?.value
  }

  #total(): number {
    return this.#seen.reduce((sum, { weight }) => sum + weight, 0)
  }
}
