interface Node<V> {
  readonly key: string
  readonly value: V
  older: Node<V> | undefined
  newer: Node<V> | undefined
}

/**
 * A map in the order of last use, all O(1). A linked list, because finding the first key of a `Map` whose keys are deleted
 * and set again walks over all that were deleted.
 */
export class RecencyMap<V> {
  readonly #nodes = new Map<string, Node<V>>()
  #oldest: Node<V> | undefined
  #newest: Node<V> | undefined

  get size(): number {
    return this.#nodes.size
  }

  /** Does not count as a use. */
  get(key: string): V | undefined {
    return this.#nodes.get(key)?.value
  }

  /** Counts as a use; makes the value if there is none. */
  use(key: string, make: () => V): V {
    const known = this.#nodes.get(key)
    if (known !== undefined && known === this.#newest) return known.value
    if (known !== undefined) this.#unlink(known)
    const node = known ?? { key, value: make(), older: undefined, newer: undefined }
    if (known === undefined) this.#nodes.set(key, node)
    node.older = this.#newest
    node.newer = undefined
    if (this.#newest === undefined) this.#oldest = node
    else this.#newest.newer = node
    this.#newest = node
    return node.value
  }

  /** The value not used for longest. */
  oldest(): { readonly key: string; readonly value: V } | undefined {
    return this.#oldest
  }

  delete(key: string): void {
    const node = this.#nodes.get(key)
    if (node === undefined) return
    this.#nodes.delete(key)
    this.#unlink(node)
  }

  /** Every entry, oldest first; entries may be deleted meanwhile. */
  *entries(): Generator<readonly [key: string, value: V]> {
    let node = this.#oldest
    while (node !== undefined) {
      const next: Node<V> | undefined = node.newer
      yield [node.key, node.value]
      node = next
    }
  }

  #unlink(node: Node<V>): void {
    if (node.older === undefined) this.#oldest = node.newer
    else node.older.newer = node.newer
    if (node.newer === undefined) this.#newest = node.older
    else node.newer.older = node.older
  }
}
