import type { z } from 'zod'
import type { Role } from '../../protocol/api.js'
import type { StreamErrorCode } from '../../protocol/events.js'
import type { ProblemName } from '../edge/problems.js'

/** In the order of the document. */
export const TAGS = {
  chat: 'Conversations: turns as event streams, history, stop.',
  openai: "For clients of OpenAI's API: turns of no session, errors in OpenAI's shape.",
  fallback: 'The automatic fallback: what it sees, its history, commands.',
  rollout: 'The guarded rollout: the share of sessions on the runtime, raised by the service itself.',
  flags: "The operators' flags: what is in force, edits, the decision for one user.",
  reports: 'Long reads of the journal.',
  data: 'What is kept of users: erased, exported.',
  service: 'Open to everybody who reaches the port.',
} as const
export type Tag = keyof typeof TAGS

/** Headers of answers and requests, described once in document-parts.ts. */
export type AnswerHeader =
  | 'X-Request-ID'
  | 'X-Chat-Stream-Id'
  | 'X-Chat-Session-Id'
  | 'X-Chat-Stream-Token'
  | 'Content-Language'
  | 'Retry-After'
  | 'RateLimit-Policy'
  | 'RateLimit-Limit'
  | 'RateLimit-Remaining'
  | 'RateLimit-Reset'
  | 'WWW-Authenticate'
  | 'ETag'
export type RequestHeader =
  | 'Accept-Language'
  | 'Idempotency-Key'
  | 'If-Match'
  | 'If-None-Match'
  | 'Last-Event-ID'
  | 'X-Chat-Session-Id'
  | 'traceparent'

export interface ParameterText {
  readonly description: string
  readonly example: string | number
}

interface AnswerHead {
  readonly status: number
  readonly description: string
  readonly headers?: readonly AnswerHeader[]
  /** name of the example of the body that leads to it; default: the first */
  readonly to?: string
}

/**
 * What stands in an answer. `data`: `{"success": true, "data": …}`; `json`: a document without the envelope; `events`: an event
 * stream, `event` is one parsed event `{event, id?, data}`; `chunks`: a stream of events that are data alone, `chunk` is what one of
 * them says, `[DONE]` as a text.
 */
type AnswerBody =
  | {
      readonly kind: 'data'
      readonly data: z.ZodType
      readonly example: unknown
      /** where the answer has more than one shape */
      readonly otherExamples?: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'json'; readonly schema: z.ZodType; readonly example: unknown }
  | {
      readonly kind: 'events'
      readonly event: z.ZodType
      readonly examples: Readonly<Record<string, unknown>>
    }
  | {
      readonly kind: 'chunks'
      readonly chunk: z.ZodType
      readonly examples: Readonly<Record<string, unknown>>
    }
  | { readonly kind: 'text'; readonly type: string; readonly example: string }
  | { readonly kind: 'empty' }

/** An answer that is no refusal. Examples are checked against the schema, by the linter and by the tests. */
export type Answer = AnswerHead & AnswerBody

export interface RequestBody {
  readonly schema: z.ZodType
  readonly required: boolean
  /** each by a name; the contract test sends the first */
  readonly examples: Readonly<Record<string, unknown>>
}

/**
 * One call of the API as the document tells of it. What follows from the fields is added by `problemsOf`: refusals of the
 * token where there is a role, of the body where there is one, of the query where there are parameters.
 */
export interface Operation {
  /** `operationId`: a verb and what it is about, unique */
  readonly id: string
  readonly method: 'get' | 'post' | 'patch' | 'delete'
  /** as the router has it, with its prefix: `/api/v1/chat/sessions/:sessionId` */
  readonly path: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  /** least role; `operator` is CHAT_OPERATOR_ROLE. Absent: no token is needed. */
  readonly role?: Role | 'operator'
  readonly query?: z.ZodObject
  /** what each parameter of the path and of the query means */
  readonly parameters?: Readonly<Record<string, ParameterText>>
  readonly headers?: readonly RequestHeader[]
  readonly body?: RequestBody
  readonly answers: readonly Answer[]
  /** `openai`: refusals in OpenAI's shape; default: in the envelope */
  readonly errors?: 'openai'
  /** codes of failed turns that are told by the status of the answer */
  readonly failures?: readonly StreamErrorCode[]
  /** refusals of its own, beside those that follow from the other fields */
  readonly problems?: readonly ProblemName[]
}

const TOKEN: readonly ProblemName[] = [
  'token_missing',
  'token_expired',
  'token_not_yet_valid',
  'token_claims',
  'token_invalid',
  'auth_unavailable',
  'internal_error',
]
const BODY: readonly ProblemName[] = [
  'body_fields',
  'body_json',
  'body_encoding',
  'body_compression',
  'body_late',
  'body_too_large',
  'body_type',
  'body_coding',
]

/** Every refusal of an operation, each once. */
export function problemsOf({ method, role, query, body, problems = [] }: Operation): readonly ProblemName[] {
  return [
    ...new Set<ProblemName>([
      ...(body === undefined ? [] : BODY),
      ...(body?.required === true ? (['body_empty'] as const) : []),
      ...(query === undefined ? [] : (['body_fields'] as const)),
      ...(role === undefined ? [] : TOKEN),
      ...(role === undefined || role === 'member' ? [] : (['role_too_low'] as const)),
      ...(method === 'get' || role === undefined || role === 'member'
        ? []
        : (['too_many_commands'] as const)),
      ...problems,
    ]),
  ]
}
