import type { z } from 'zod'

/** Rounds after which it gives up; each takes away one layer of unknown fields. */
const ROUNDS = 5

/**
 * What the schema makes of a value, unknown fields left out: a newer service may tell more than this command knows.
 * Undefined where the shape is another one.
 */
export function parseKnown<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  let known = value
  for (let round = 0; round < ROUNDS; round += 1) {
    const parsed = schema.safeParse(known)
    if (parsed.success) return parsed.data
    const { issues } = parsed.error
    if (!issues.every((issue) => issue.code === 'unrecognized_keys')) return undefined
    known = structuredClone(known)
    for (const { path, keys } of issues) removeKeys(known, path, keys)
  }
  return undefined
}

function removeKeys(root: unknown, path: readonly PropertyKey[], keys: readonly string[]): void {
  let at = root
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return
    at = Reflect.get(at, key)
  }
  if (typeof at !== 'object' || at === null) return
  for (const key of keys) Reflect.deleteProperty(at, key)
}
