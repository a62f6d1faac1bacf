/** long enough for a very busy machine; a drill that passes waits for a few seconds */
const PATIENCE_MS = 60_000
const LOOK_MS = 20

/**
 * Waits until `missing` says `""`; gives the ms it took.
 * @throws what was still missing
 */
export async function waitFor(
  what: string,
  missing: () => string | Promise<string>,
  patienceMs = PATIENCE_MS,
  lookMs = LOOK_MS,
): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const left = await missing()
    const tookMs = performance.now() - startedAt
    if (left === '') return tookMs
    if (tookMs > patienceMs)
      throw new Error(`waited ${Math.round(tookMs / 1000)} s for ${what}, and still: ${left}`)
    await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
}
