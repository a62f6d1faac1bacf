import type { z } from 'zod'
import { schemaFault } from '../../core/json/schema-fault.js'
import { createLru } from '../../core/lru.js'
import { likelyIntention } from '../check/likely-intention.js'
import { unknownFields } from '../check/unknown-fields.js'

/** A flag's value, or why it is refused. */
export type Parsed<T> =
  /** `unknown`: fields that were ignored, as dotted paths */
  | { readonly kind: 'value'; readonly value: T; readonly unknown?: readonly string[] }
  | { readonly kind: 'refused'; readonly message: string }

const NO_OBJECT = { kind: 'refused', message: 'the value is no object' } as const

/** different texts of one object flag remembered: its variants, of this and a few former contents */
const TEXTS_KEPT = 100

/**
 * Parses an object flag, the whole or nothing. flagd-core hands out the same object until the flags change, so zod runs
 * once for each; over gRPC every answer is a new object, recognised by its text. Equal values are one object.
 */
export function createValueParser<Raw, T extends object>(
  schema: z.ZodType<Raw>,
  finish: (raw: Raw) => T,
): (raw: unknown) => Parsed<T> {
  const byObject = new WeakMap<object, Parsed<T>>()
  const byText = createLru<string, Parsed<T>>(TEXTS_KEPT)
  return (raw) => {
    if (typeof raw !== 'object' || raw === null) return NO_OBJECT
    const seen = byObject.get(raw)
    if (seen !== undefined) return seen
    const text = JSON.stringify(raw)
    const parsed = byText.get(text) ?? parse(schema, finish, raw)
    byText.set(text, parsed)
    byObject.set(raw, parsed)
    return parsed
  }
}

function parse<Raw, T>(schema: z.ZodType<Raw>, finish: (raw: Raw) => T, raw: object): Parsed<T> {
  const result = schema.safeParse(raw, { reportInput: true })
  if (result.success) {
    const unknown = unknownFields(raw, result.data)
    return { kind: 'value', value: finish(result.data), ...(unknown.length === 0 ? {} : { unknown }) }
  }
  const faults = result.error.issues.map(
    (issue) =>
      `${issue.path.join('.') || 'value'}: ${schemaFault(issue).en}${likelyIntention(issue, raw, []).en}`,
  )
  return { kind: 'refused', message: `the value is refused as a whole (${faults.join('; ')})` }
}
