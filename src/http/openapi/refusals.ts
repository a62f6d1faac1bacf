import { z } from 'zod'
import { errorBodySchema } from '../../protocol/api.js'
import { openAiErrorSchema } from '../../protocol/openai.js'
import { PROBLEMS } from '../edge/problems.js'
import { failureByCode } from '../openai/failed-turn.js'
import { openAiCode, openAiError } from '../openai/openai-error.js'
import { type Operation, problemsOf } from '../operations/operation.js'
import { refusalHeaders } from './document-parts.js'
import type { JsonSchema, JsonSchemas } from './json-schemas.js'

/** One way an operation is refused, by a problem or by a failed turn of that name. */
export interface Refusal {
  readonly name: string
  readonly status: number
  readonly code: string
  readonly message: string
  readonly body: unknown
}

/** Every refusal that the document tells of an operation. */
export const refusalsOf = (operation: Operation): readonly Refusal[] =>
  operation.errors === 'openai' ? inOpenAiShape(operation) : inEnvelope(operation)

/** The same as answers, one a status; each refusal with its message and an example. */
export function refusalAnswers(
  operation: Operation,
  schemas: JsonSchemas,
): Readonly<Record<string, JsonSchema>> {
  const byStatus = new Map<number, Refusal[]>()
  for (const refusal of refusalsOf(operation))
    byStatus.set(refusal.status, [...(byStatus.get(refusal.status) ?? []), refusal])
  const answers = [...byStatus].map(([status, same]) => {
    const codes = [...new Set(same.map(({ code }) => code))]
    const schema = operation.errors === 'openai' ? openAiSchema(codes) : envelopeSchema(codes)
    const examples = Object.fromEntries(same.map(({ name, body }) => [name, { value: body }]))
    const answer = {
      description: [...new Set(same.map(({ message }) => `- ${message}`))].join('\n'),
      headers: refusalHeaders(status),
      content: { 'application/json': { schema: schemas.of(schema, 'output'), examples } },
    }
    return [status, answer] as const
  })
  return Object.fromEntries(answers)
}

const inEnvelope = (operation: Operation): Refusal[] =>
  problemsOf(operation).map((name) => {
    const { status, code, en: message } = PROBLEMS[name]
    return { name, status, code, message, body: { success: false, error: { code, message } } }
  })

function inOpenAiShape(operation: Operation): Refusal[] {
  const refused = problemsOf(operation).map((name): Refusal => {
    const { status, en: message } = PROBLEMS[name]
    const code = openAiCode(name)
    return { name, status, code, message, body: openAiError(status, message, code) }
  })
  const failed = (operation.failures ?? []).map((name): Refusal => {
    const { status, body } = failureByCode(name, 'en')
    const { code, message } = body.error
    return { name, status, code, message, body }
  })
  return [...refused, ...failed.filter(({ name }) => !refused.some((one) => one.name === name))]
}

const envelopeSchema = byCodes((code) =>
  errorBodySchema.extend({ error: errorBodySchema.shape.error.extend({ code }) }),
)

const openAiSchema = byCodes((code) =>
  openAiErrorSchema.extend({ error: openAiErrorSchema.shape.error.extend({ code }) }),
)

/** The same schema for the same codes: most operations share theirs, and each costs half a millisecond as JSON. */
function byCodes(make: (code: z.ZodType) => z.ZodType): (codes: readonly string[]) => z.ZodType {
  const made = new Map<string, z.ZodType>()
  return (codes) => {
    const key = codes.join()
    const schema = made.get(key) ?? make(z.enum(codes))
    made.set(key, schema)
    return schema
  }
}
