/** edits (a letter more, less, or another) up to which one name may be meant by another */
const MOST_EDITS = 2

/** The known name that was likely meant: the same but for case, or a slip of the keyboard away. */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  let best: { readonly name: string; readonly edits: number } | undefined
  for (const candidate of known) {
    const edits = editsBetween(name.toLowerCase(), candidate.toLowerCase())
    // In a short name two edits are another name.
    if (edits > Math.min(MOST_EDITS, Math.floor(candidate.length / 3))) continue
    if (best === undefined || edits < best.edits) best = { name: candidate, edits }
  }
  return best?.name
}

/** Levenshtein's distance. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
