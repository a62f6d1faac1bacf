import { expect } from 'chai'
import fc from 'fast-check'
import { z } from 'zod'
import { OPERATIONS } from '../../src/http/operations/all-operations.js'
import type { Operation } from '../../src/http/operations/operation.js'
import { errorBodySchema } from '../../src/protocol/api.js'
import { openAiErrorSchema } from '../../src/protocol/openai.js'
import { fullEdge, ORG, sessionOf, UNKNOWN_ID } from '../http/openapi/contract-calls.js'
import { DOCUMENT, documented, documentedCall, faultsBy } from '../http/openapi/documented-answers.js'
import { parseEvents } from '../support/chat-client.js'
import { bearer, type Edge } from '../support/edge.js'
import { type FuzzTarget, fuzzTarget, mangled, mutated, oddText } from './target.js'

/** Requests as the OpenAPI document allows them, and others: never a 500, and each answer is one that the document has. */

const TOKENS = ['owner', 'admin', 'member', 'none', 'wrong'] as const

const inputSchema = z.strictObject({
  operation: z.string(),
  token: z.enum(TOKENS),
  /** by placeholder; `$session` stands for a session that there is */
  params: z.record(z.string(), z.string()),
  query: z.array(z.tuple([z.string(), z.string()])),
  headers: z.array(z.tuple([z.string(), z.string()])),
  body: z.string().optional(),
})
type Input = z.infer<typeof inputSchema>

type Schema = Readonly<Record<string, unknown>>

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null

/** Levels of a schema that refers to itself. */
const MOST_LEVELS = 5

/** Values that a schema of the document allows, as far as it is read: patterns and formats are not. */
function valuesOf(schema: unknown, level = 0): fc.Arbitrary<unknown> {
  if (!isSchema(schema) || level > MOST_LEVELS) return fc.jsonValue({ maxDepth: 1 })
  const { $ref, enum: members, anyOf, oneOf, allOf, type } = schema
  if (typeof $ref === 'string')
    return valuesOf(DOCUMENT.components.schemas[$ref.split('/').at(-1) ?? ''], level + 1)
  if ('const' in schema) return fc.constant(schema.const)
  if (Array.isArray(members)) return fc.constantFrom<unknown>(...members)
  const several = anyOf ?? oneOf ?? allOf
  if (Array.isArray(several)) return fc.oneof(...several.map((one: unknown) => valuesOf(one, level + 1)))
  if (Array.isArray(type))
    return fc.oneof(...type.map((one: unknown) => valuesOf({ ...schema, type: one }, level)))
  switch (type) {
    case 'object':
      return objectsOf(schema, level)
    case 'array':
      return fc.array(valuesOf(schema.items, level + 1), {
        minLength: Math.min(3, number(schema.minItems, 0)),
        maxLength: Math.min(4, number(schema.maxItems, 4)),
      })
    case 'string':
      return fc.string({
        unit: 'grapheme',
        minLength: number(schema.minLength, 0),
        maxLength: Math.max(number(schema.minLength, 0), Math.min(30, number(schema.maxLength, 30))),
      })
    case 'integer':
      return fc.integer({ min: number(schema.minimum, -10), max: number(schema.maximum, 1000) })
    case 'number':
      return fc.double({ min: number(schema.minimum, -10), max: number(schema.maximum, 1000), noNaN: true })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue({ maxDepth: 1 })
  }
}

function objectsOf({ properties, required }: Schema, level: number): fc.Arbitrary<unknown> {
  const fields = isSchema(properties) ? properties : {}
  const needed = new Set(Array.isArray(required) ? required.map(String) : [])
  return fc
    .record(
      Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, valuesOf(one, level + 1)])),
      { requiredKeys: [...needed].filter((name) => name in fields) },
    )
    .map((value): unknown => ({ ...value }))
}

const number = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise)

const requestBodySchema = z.object({
  content: z.object({ 'application/json': z.object({ schema: z.record(z.string(), z.unknown()) }) }),
})

function bodiesOf(operation: Operation): fc.Arbitrary<string | undefined> {
  const given = requestBodySchema.safeParse(documentedCall(operation).requestBody)
  const examples = Object.values(operation.body?.examples ?? {})
  if (!given.success) return fc.option(fc.constantFrom('{}', 'x', ''), { nil: undefined, freq: 3 })
  const values = fc.oneof(
    valuesOf(given.data.content['application/json'].schema),
    ...(examples.length === 0 ? [] : [fc.constantFrom(...examples)]),
  )
  const texts = (some: fc.Arbitrary<unknown>) => some.map((value) => JSON.stringify(value) ?? '')
  return fc.oneof(
    { weight: 4, arbitrary: texts(values) },
    { weight: 4, arbitrary: texts(mutated(values)) },
    { weight: 1, arbitrary: mangled(texts(values)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        undefined,
        '',
        'null',
        '[]',
        '{"a":1,"a":2}',
        '{"__proto__":{"message":"x"},"constructor":1}',
        `${'['.repeat(5000)}${']'.repeat(5000)}`,
        `{"message":"${'x'.repeat(200_000)}"}`,
      ),
    },
  )
}

/** fetch itself refuses others. */
const headerText = fc.oneof(
  fc.constantFrom(
    '',
    '*',
    '"x"',
    'W/"x"',
    'en',
    'zh-CN',
    'fr;q=0.1, *',
    '-1',
    '1e9',
    '9'.repeat(40),
    'application/json',
    'text/plain',
    'gzip',
    'identity',
    'a'.repeat(200),
  ),
  fc.stringMatching(/^[\x21-\x7e]{0,40}$/),
)
const HEADERS = [
  'If-Match',
  'If-None-Match',
  'Idempotency-Key',
  'Last-Event-ID',
  'X-Chat-Session-Id',
  'Accept-Language',
  'traceparent',
  'tracestate',
  'X-Request-ID',
  'Content-Type',
  'Content-Encoding',
  'Accept',
  'Accept-Encoding',
  'Origin',
] as const

const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)

// Others change the path itself: which call is meant is no longer known.
const segment = oddText.filter((text) => text !== '' && isWellFormed(text) && !/^\.{1,2}$/.test(text))

function inputsOf(operation: Operation): fc.Arbitrary<Input> {
  const names = [...operation.path.matchAll(/[:*](\w+)/g)].map(([, name = '']) => name)
  const queries = Object.keys(operation.query?.shape ?? {})
  const examples = queries.flatMap((name) => kept(operation.parameters?.[name]?.example))
  const value = fc.oneof(
    oddText.filter(isWellFormed),
    fc.constantFrom('0', '1', '-1', '1e3', '2026-01-01T00:00:00Z', 'true', 'false', ...examples),
  )
  return fc
    .record({
      token: fc.oneof({ weight: 6, arbitrary: fc.constant('owner' as const) }, fc.constantFrom(...TOKENS)),
      params: fc.record(
        Object.fromEntries(
          names.map((name) => [name, fc.oneof(fc.constantFrom('$session', UNKNOWN_ID, 'gpt-4o'), segment)]),
        ),
      ),
      query: fc.array(
        fc.tuple(queries.length === 0 ? fc.constant('x') : fc.constantFrom(...queries, 'x'), value),
        { maxLength: 3 },
      ),
      headers: fc.array(fc.tuple(fc.constantFrom(...HEADERS), headerText), { maxLength: 3 }),
      body: bodiesOf(operation),
    })
    .map(({ body, ...input }) => ({
      operation: operation.id,
      ...input,
      ...(body === undefined || operation.method === 'get' ? {} : { body }),
    }))
}

const kept = (example: string | number | undefined): string[] =>
  example === undefined ? [] : [String(example)]

let running: Promise<Edge> | undefined

async function authorizationOf(token: Input['token']): Promise<string | undefined> {
  if (token === 'none') return undefined
  if (token === 'wrong') return `${await bearer({ org_id: ORG })}x`
  return bearer({ role: token, org_id: ORG })
}

async function requestOf(edge: Edge, operation: Operation, input: Input): Promise<Response> {
  const { params, query, headers, body } = input
  const session = await sessionOf(edge)
  let path = operation.path
  for (const [name, value] of Object.entries(params))
    path = path.replace(new RegExp(`[:*]${name}`), () =>
      encodeURIComponent(value === '$session' ? session : value),
    )
  const authorization = await authorizationOf(input.token)
  const all = new Headers(body === undefined ? {} : { 'content-type': 'application/json' })
  if (authorization !== undefined) all.set('authorization', authorization)
  for (const [name, value] of headers) all.set(name, value)
  const search = new URLSearchParams(query).toString()
  return fetch(`${edge.url}${path}${search === '' ? '' : `?${search}`}`, {
    method: operation.method.toUpperCase(),
    headers: all,
    signal: AbortSignal.timeout(ANSWER_MS),
    ...(body === undefined ? {} : { body }),
  })
}

/** ms of real time after which a request counts as one that is not answered */
const ANSWER_MS = 10_000

/** Those that any call may have: `info.description` of the document. */
const OF_ANY_CALL = new Set([404, 405, 408, 431])

async function expectDocumented(operation: Operation, response: Response, what: string): Promise<void> {
  const told = documentedCall(operation).responses[response.status]
  const type = response.headers.get('content-type')?.split(';')[0]
  if (told === undefined && OF_ANY_CALL.has(response.status)) {
    const schema = operation.errors === 'openai' ? openAiErrorSchema : errorBodySchema
    schema.parse(await response.json())
    return
  }
  const schema = documented(operation, response, what)
  if (type === 'text/event-stream') {
    await expectEvents(operation, response, schema, what)
    return
  }
  const text = await response.text()
  if (type !== 'application/json') return
  const body: unknown = JSON.parse(text)
  expect(faultsBy(schema, body), `${what}: ${text.slice(0, 500)}`).to.equal('')
}

async function expectEvents(operation: Operation, response: Response, schema: Schema, what: string) {
  // Events without an end: the head is what a request decides.
  if (operation.id === 'streamOperatorEvents') return response.body?.cancel()
  const text = await response.text()
  const isOpenAi = operation.errors === 'openai'
  const events: readonly unknown[] = isOpenAi ? chunksOf(text) : parseEvents(text)
  for (const event of events)
    expect(faultsBy(schema, event), `${what}: ${JSON.stringify(event)}`).to.equal('')
  return undefined
}

const chunksOf = (text: string): unknown[] =>
  text
    .split('\n\n')
    .filter((frame) => frame.startsWith('data: '))
    .map((frame) => frame.slice('data: '.length))
    .map((data): unknown => (data === '[DONE]' ? data : JSON.parse(data)))

export const apiTarget: FuzzTarget = fuzzTarget({
  name: 'api',
  inputs: fc.constantFrom(...OPERATIONS).chain(inputsOf),
  schema: inputSchema,
  async check(input) {
    const operation = OPERATIONS.find(({ id }) => id === input.operation)
    if (operation === undefined) throw new Error(`there is no call ${input.operation}`)
    running ??= fullEdge({ commandsPerMinute: 1_000_000 })
    const edge = await running
    const response = await requestOf(edge, operation, input)
    const what = `${operation.id} ${response.status}`
    expect(response.status, what).not.to.equal(500)
    await expectDocumented(operation, response, what)
  },
  async close() {
    const edge = await running
    running = undefined
    await edge?.close()
  },
})
