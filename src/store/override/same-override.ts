import { canonicalJson } from './checksum.js'
import type { Override } from './override.js'
import type { Json } from './override-flag.js'

/** The same in every part. */
export function isSameOverride(a: Override, b: Override): boolean {
  return text(a) === text(b)
}

// Through JSON: a person's rule is any JSON, and what is absent is the same as undefined.
const text = (value: object): string => canonicalJson(JSON.parse(JSON.stringify(value)) as Json)
