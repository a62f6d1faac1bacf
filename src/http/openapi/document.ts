import type { z } from 'zod'
import { type Answer, type Operation, TAGS } from '../operations/operation.js'
import { ANSWER_HEADERS, headerReference, REQUEST_HEADERS } from './document-parts.js'
import { createJsonSchemas, type JsonSchema, type JsonSchemas } from './json-schemas.js'
import { refusalAnswers } from './refusals.js'

const ABOUT = `Chat turns that are answered by a direct LLM or by an agent runtime, as feature flags say, with an automatic fallback.

JSON answers are \`{"success": true, "data": …}\` or \`{"success": false, "error": {"code", "message", "details"?}}\`; their messages follow \`Accept-Language\` (\`zh-CN\` where it says nothing). Go by \`code\`, never by \`message\`.

Later versions add fields, codes and kinds of events: ignore what you do not know.

Any call may also be answered by 404 \`not_found\` (no such path), 405 \`method_not_allowed\` with \`Allow\`, 408, 431 and 400 \`bad_request\` (not HTTP). HEAD works wherever GET does.`

const ROLES = {
  member: 'Any valid token.',
  admin: 'The role `admin` or `owner`.',
  owner: 'The role `owner`.',
  operator: 'The role that CHAT_OPERATOR_ROLE names (`admin` where it is not set) or one above it.',
} as const

/** The whole API as OpenAPI 3.1. Pure: the same for the same operations. */
export function openApiDocument(operations: readonly Operation[], version: string): JsonSchema {
  const schemas = createJsonSchemas()
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of operations) {
    const path = operation.path.replaceAll(/[:*](\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [operation.method]: described(operation, schemas) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'chat-cutover',
      version,
      description: ABOUT,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'Where this document came from' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description:
            'Claims `sub`, `org_id`, `role` (`member`, `admin`, `owner`) and `exp`; HS256, or RS256, PS256, ES256 and EdDSA (Ed25519) by a key set.',
        },
      },
      headers: ANSWER_HEADERS,
      parameters: Object.fromEntries(
        Object.entries(REQUEST_HEADERS).map(([name, header]) => [name, { name, in: 'header', ...header }]),
      ),
      schemas: schemas.collected(),
    },
  }
}

function described(operation: Operation, schemas: JsonSchemas): JsonSchema {
  const { id, tag, summary, description, role, body, answers } = operation
  const whoMay = role === undefined ? 'Open: no token is needed.' : ROLES[role]
  const parameters = parametersOf(operation, schemas)
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: [description, whoMay].filter((part) => part !== undefined).join('\n\n'),
    security: role === undefined ? [] : [{ token: [] }],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: body.required,
            content: {
              'application/json': {
                schema: schemas.of(body.schema, 'input'),
                examples: valued(body.examples),
              },
            },
          },
        }),
    responses: {
      ...answersByStatus(answers, schemas),
      ...refusalAnswers(operation, schemas),
    },
  }
}

function parametersOf(
  { path, query, parameters = {}, headers = [] }: Operation,
  schemas: JsonSchemas,
): unknown[] {
  const told = (name: string) => {
    const found = parameters[name]
    if (found === undefined) throw new Error(`the parameter ${name} of ${path} is not described`)
    return found
  }
  return [
    ...[...path.matchAll(/[:*](\w+)/g)].map(([, name = '']) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
      ...told(name),
    })),
    ...Object.entries<z.ZodType>((query?.shape as Readonly<Record<string, z.ZodType>> | undefined) ?? {}).map(
      ([name, schema]) => ({
        name,
        in: 'query',
        required: !schema.safeParse(undefined).success,
        schema: schemas.of(schema, 'output'),
        ...told(name),
      }),
    ),
    ...headers.map((name) => ({ $ref: `#/components/parameters/${name}` })),
  ]
}

/** What has the same status is one answer of several content types. */
function answersByStatus(
  answers: readonly Answer[],
  schemas: JsonSchemas,
): Readonly<Record<string, JsonSchema>> {
  const byStatus: Record<string, { description: string; headers: JsonSchema; content?: JsonSchema }> = {}
  for (const answer of answers) {
    const before = byStatus[answer.status]
    const { content } = contentOf(answer, schemas)
    const names = ['X-Request-ID' as const, ...(answer.headers ?? [])]
    byStatus[answer.status] = {
      description: [before?.description, answer.description]
        .filter((part) => part !== undefined)
        .join('\n\n'),
      headers: {
        ...before?.headers,
        ...Object.fromEntries(names.map((name) => [name, headerReference(name)])),
      },
      ...(content === undefined ? {} : { content: { ...before?.content, ...content } }),
    }
  }
  return byStatus
}

function contentOf(answer: Answer, schemas: JsonSchemas): { content?: JsonSchema } {
  switch (answer.kind) {
    case 'data': {
      const examples = { example: answer.example, ...answer.otherExamples }
      const wrapped = Object.entries(examples).map(([name, data]) => [name, { success: true, data }])
      const schema = enveloped(schemas.of(answer.data, 'output'))
      return { content: { 'application/json': { schema, examples: valued(Object.fromEntries(wrapped)) } } }
    }
    case 'json': {
      const schema = schemas.of(answer.schema, 'output')
      return { content: { 'application/json': { schema, examples: valued({ example: answer.example }) } } }
    }
    case 'events': {
      const schema = schemas.of(answer.event, 'output')
      return { content: { 'text/event-stream': { schema, examples: valued(answer.examples) } } }
    }
    case 'chunks': {
      const schema = schemas.of(answer.chunk, 'output')
      return { content: { 'text/event-stream': { schema, examples: valued(answer.examples) } } }
    }
    case 'text':
      return { content: { [answer.type]: { schema: { type: 'string' }, example: answer.example } } }
    case 'empty':
      return {}
  }
}

const enveloped = (data: JsonSchema): JsonSchema => ({
  type: 'object',
  required: ['success', 'data'],
  properties: { success: { const: true }, data },
})

const valued = (examples: Readonly<Record<string, unknown>>): JsonSchema =>
  Object.fromEntries(Object.entries(examples).map(([name, value]) => [name, { value }]))
