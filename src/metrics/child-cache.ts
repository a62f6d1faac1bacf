/** Children by their label values, made when first seen; the values come from closed lists, so they stay few. */
export function childCache<T>(make: (...values: [string, string, string]) => T) {
  const children = new Map<string, T>()
  return (...values: [string, string, string]): T => {
    const key = values.join()
    const known = children.get(key)
    if (known !== undefined) return known
    const child = make(...values)
    children.set(key, child)
    return child
  }
}
