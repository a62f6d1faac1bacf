import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'chai'
import { z } from 'zod'
import { openApiDocument } from '../../../src/http/openapi/document.js'
import { OPERATIONS } from '../../../src/http/operations/all-operations.js'
import type { Operation } from '../../../src/http/operations/operation.js'

/** Answers of the service held against the OpenAPI document. */

const responseSchema = z.object({
  headers: z.record(z.string(), z.object({ $ref: z.string() })),
  content: z.record(z.string(), z.object({ schema: z.record(z.string(), z.unknown()) })).optional(),
})
const documentSchema = z.object({
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({ responses: z.record(z.string(), responseSchema), requestBody: z.unknown().optional() }),
    ),
  ),
  components: z.object({
    headers: z.record(z.string(), z.object({ required: z.boolean().optional() })),
    schemas: z.record(z.string(), z.record(z.string(), z.unknown())),
  }),
})
export const DOCUMENT = documentSchema.parse(openApiDocument(OPERATIONS, '0.0.0'))

const ajv = new Ajv2020({ strict: false, allErrors: true })
/** by the schema's text: most refusals have the same, and each compilation reads all components */
const compiled = new Map<string, ValidateFunction>()

/** Whether a value is what the schema of the document says; the faults as text. */
export function faultsBy(schema: Readonly<Record<string, unknown>>, value: unknown): string {
  const text = JSON.stringify(schema)
  const validate = compiled.get(text) ?? ajv.compile({ ...schema, components: DOCUMENT.components })
  compiled.set(text, validate)
  return validate(value) ? '' : ajv.errorsText(validate.errors)
}

export const documentedCall = ({ path, method }: Pick<Operation, 'path' | 'method'>) => {
  const found = DOCUMENT.paths[path.replaceAll(/[:*](\w+)/g, '{$1}')]?.[method]
  if (found === undefined) throw new Error(`${method} ${path} is not in the document`)
  return found
}

/** An answer as the document has it: status, headers, content type. @returns the schema of its body */
export function documented(operation: Operation, response: Response, what: string) {
  const told = documentedCall(operation).responses[response.status]
  if (told === undefined) throw new Error(`${what}: ${response.status} is not documented`)
  for (const name of Object.keys(told.headers))
    if (DOCUMENT.components.headers[name]?.required === true)
      expect(response.headers.has(name), `${what}: header ${name}`).to.equal(true)
  const type = response.headers.get('content-type')?.split(';')[0]
  const types = Object.keys(told.content ?? {}).map((one) => one.split(';')[0])
  if (type === undefined) expect(types, `${what}: content type`).to.deep.equal([])
  else expect(types, `${what}: content type`).to.include(type)
  return Object.entries(told.content ?? {}).find(([one]) => one.split(';')[0] === type)?.[1].schema ?? {}
}
