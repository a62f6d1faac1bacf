/**
 * Fields of `raw` that its schema does not know, as dotted paths: those that are missing in what the schema made of it.
 * Fits schemas that drop unknown fields and keep every known one.
 */
export function unknownFields(raw: unknown, parsed: unknown, within = ''): string[] {
  if (!isPlain(raw) || !isPlain(parsed)) return []
  return Object.entries(raw).flatMap(([key, value]) => {
    const path = `${within}${key}`
    return Object.hasOwn(parsed, key) ? unknownFields(value, parsed[key], `${path}.`) : [path]
  })
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
