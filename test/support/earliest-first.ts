/** What happens at a time. */
interface Planned {
  readonly at: number
}

interface Entry<T> {
  readonly what: T
  /** of those at one time, the one added first comes first */
  readonly order: number
}

/** What is planned, earliest first: a binary heap, as simulations plan many thousands. */
export class EarliestFirst<T extends Planned> {
  readonly #heap: Entry<T>[] = []
  #order = 0

  get first(): T | undefined {
    return this.#heap[0]?.what
  }

  add(what: T): void {
    const heap = this.#heap
    const entry = { what, order: this.#order++ }
    heap.push(entry)
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(entry, heap[parent])) break
      this.#swap(at, parent)
      at = parent
    }
  }

  /** Takes the first one out. */
  take(): T | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first?.what
    heap[0] = last
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < heap.length && isBefore(heap[left], heap[least])) least = left
      if (right < heap.length && isBefore(heap[right], heap[least])) least = right
      if (least === at) return first?.what
      this.#swap(at, least)
      at = least
    }
  }

  #swap(a: number, b: number): void {
    const [first, second] = [this.#heap[a], this.#heap[b]]
    if (first === undefined || second === undefined) return
    this.#heap[a] = second
    this.#heap[b] = first
  }
}

function isBefore<T extends Planned>(a: Entry<T> | undefined, b: Entry<T> | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.what.at < b.what.at || (a.what.at === b.what.at && a.order < b.order)
}
