import type { AnswerHeader, RequestHeader } from '../operations/operation.js'
import type { JsonSchema } from './json-schemas.js'

const text = { type: 'string' } as const

/** Under `components/headers`, by name. */
export const ANSWER_HEADERS: Readonly<Record<AnswerHeader, JsonSchema>> = {
  'X-Request-ID': {
    description:
      'Of the request where it sent one of 1 to 128 visible ASCII characters, else a new one. Name it to an administrator.',
    schema: text,
    required: true,
  },
  'X-Chat-Stream-Id': {
    description: 'Id of the stream, and of the message it answers with.',
    schema: text,
    required: true,
  },
  'X-Chat-Session-Id': { description: 'Id of the session.', schema: text, required: true },
  'X-Chat-Stream-Token': {
    description:
      'Opens this stream, and nothing else, without an `Authorization` header: `GET /api/v1/chat/streams/{streamId}?token=`. Good until 5 min after its end, or until the service is restarted. Absent where turns end with their reader (CHAT_RECONNECT_GRACE_MS=0).',
    schema: text,
  },
  'Content-Language': {
    description: 'Language of the messages.',
    schema: { type: 'string', enum: ['zh-CN', 'en'] },
    required: true,
  },
  'Retry-After': {
    description:
      'Seconds after which another try is worth it. Absent where it goes away by nobody but an operator.',
    schema: { type: 'integer', minimum: 1 },
  },
  'RateLimit-Policy': {
    description:
      'Turns a user may start, and in how many seconds: `20;w=60`. Absent where they are not limited.',
    schema: text,
  },
  'RateLimit-Limit': {
    description: 'Turns the user may start in a minute. Absent where they are not limited.',
    schema: { type: 'integer', minimum: 1 },
  },
  'RateLimit-Remaining': {
    description: 'Turns the user may start now. Absent where they are not limited.',
    schema: { type: 'integer', minimum: 0 },
  },
  'RateLimit-Reset': {
    description: 'Seconds until all of them may be started again. Absent where they are not limited.',
    schema: { type: 'integer', minimum: 0 },
  },
  'WWW-Authenticate': { description: 'Bearer, with what is wrong.', schema: text },
  ETag: {
    description: 'Of the content, for If-Match and If-None-Match. An edit tried with `dryRun` has none.',
    schema: text,
  },
}

/** Under `components/parameters`, by name. */
export const REQUEST_HEADERS: Readonly<Record<RequestHeader, JsonSchema>> = {
  'Accept-Language': {
    description: 'Language of messages and sentences: zh-CN, or en.',
    schema: { type: 'string', default: 'zh-CN' },
    example: 'en',
  },
  traceparent: {
    description:
      'W3C trace context, with `tracestate`: the spans of the turn and its requests to the LLM and the runtime continue that trace. A wrong one is ignored.',
    schema: text,
    example: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  },
  'Idempotency-Key': {
    description:
      '1 to 128 visible ASCII characters, new for each message. For 24 h the same key of the same user stands for the same turn: the request is answered with its events from the first one on, or, where those are no longer kept, with its text and its end from the history. Another body is refused.',
    schema: { type: 'string', minLength: 1, maxLength: 128 },
    example: '7f0c8f6e2b5a4d0e9c1b3a5d7e9f1a2b',
  },
  'If-Match': {
    description:
      'ETag of `GET /api/v1/runtime/flags`, or `*` for whatever is there. Needed without `dryRun`.',
    schema: text,
    example: '*',
  },
  'X-Chat-Session-Id': {
    description:
      'The conversation this turn belongs to, by which the flags put it on a side. Visible ASCII, at most 200 characters; anything else is hashed.',
    schema: text,
    example: 'conversation-42',
  },
  'Last-Event-ID': {
    description: 'Id of the last event that was seen; 0, or none: from the beginning.',
    schema: text,
    example: '1',
  },
  'If-None-Match': {
    description: 'ETag of the answer before: 304 where it is still the same.',
    schema: text,
    example: '"none"',
  },
}

export const headerReference = (name: AnswerHeader): JsonSchema => ({ $ref: `#/components/headers/${name}` })

/** Of every answer that starts a turn. */
const QUOTA_HEADERS = [
  'RateLimit-Policy',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
] as const satisfies readonly AnswerHeader[]

/** Of a refusal. */
export function refusalHeaders(status: number): JsonSchema {
  const own: readonly AnswerHeader[] =
    status === 401 || status === 403
      ? ['WWW-Authenticate']
      : status === 429
        ? ['Retry-After', ...QUOTA_HEADERS]
        : status === 503
          ? ['Retry-After']
          : []
  const names: readonly AnswerHeader[] = ['X-Request-ID', 'Content-Language', ...own]
  return Object.fromEntries(names.map((name) => [name, headerReference(name)]))
}
