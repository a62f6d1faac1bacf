import { canonicalJson } from '../store/checksum.js'
import type { Override } from '../store/override.js'
import type { Json } from '../store/override-flag.js'

/** The same in every part. */
export function isSameOverride(a: Override, b: Override): boolean {
  return text(a) === text(b)
}

/** The same but for who wrote it when. */
export function isSameMeaning(a: Override, b: Override): boolean {
  return text(meaning(a)) === text(meaning(b))
}

function meaning({ auto, manual, trips, evidenceSince }: Override) {
  // The end of a hold is told anew by each writer's clock.
  const layer = auto.state === 'fallback' ? { ...auto, holdUntil: 0 } : auto
  return { auto: layer, manual, trips, evidenceSince }
}

// Through JSON: a person's rule is any JSON, and what is absent is the same as undefined.
const text = (value: object): string => canonicalJson(JSON.parse(JSON.stringify(value)) as Json)
