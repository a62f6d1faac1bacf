import { z } from 'zod'
import { type FlagEdit, flagEditSchema } from '../../protocol/flag-edit.js'
import { guard, unknownField } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'

const FREE_FIELDS = ['guardrails', 'limits'] as const
const freeSchema = z.object({ guardrails: z.unknown().optional(), limits: z.unknown().optional() })

/**
 * The body of an edit. zod drops `__proto__` from a record silently. Here it is refused like every other unknown name, so that an
 * edit that changes nothing is not answered as one that was made. @throws Problem 400
 */
export function guardEdit(body: unknown): FlagEdit {
  const edit = guard(flagEditSchema, body)
  const sent = freeSchema.parse(body)
  const dropped = FREE_FIELDS.filter((field) => Object.hasOwn(sent[field] ?? {}, '__proto__'))
  if (dropped.length === 0) return edit
  throw new Problem('body_fields', { details: dropped.map((field) => unknownField([field, '__proto__'])) })
}
