/**
 * Does what is asked for in one round of the event loop as one piece, of at most `most` items: for work whose cost is mostly one a
 * piece, such as the commit of a transaction. Where a piece fails, all who asked for a part of it are rejected.
 * @param run gives the results in the order of the items; undefined where it gave none
 */
export function gathered<Item, Result>(
  most: number,
  run: (items: readonly Item[]) => Promise<readonly Result[]>,
): (item: Item) => Promise<Result | undefined> {
  let open: { readonly items: Item[]; readonly results: Promise<readonly Result[]> } | undefined

  async function runAll(items: readonly Item[]): Promise<readonly Result[]> {
    // Callers in the same round of the event loop join this piece.
    await undefined
    if (open?.items === items) open = undefined
    return await run(items)
  }

  return async (item) => {
    if (open === undefined) {
      const items: Item[] = []
      open = { items, results: runAll(items) }
    }
    const { items, results } = open
    const at = items.push(item) - 1
    if (items.length >= most) open = undefined
    return (await results)[at]
  }
}
