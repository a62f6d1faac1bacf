import type { ErrorBody } from '../../protocol/api.js'
import { language } from '../text/language.js'
import { signOut, token } from './session.js'

/** The service as the page asks it: same origin, the reader's token, the reader's language. */

const PREFIX = '/api/v1'
/** ms until a call is given up */
const TIMEOUT_MS = 15_000

/** What went wrong with a call. Nothing else is thrown here. */
export class RequestError extends Error {
  constructor(
    /** 0: the service was not reached */
    readonly status: number,
    /** of the service; `unreachable` or `unreadable` */
    readonly code: string,
    message: string,
    readonly details: readonly string[] = [],
  ) {
    super(message)
  }
}

export interface Answer<T> {
  readonly data: T
  readonly etag: string | null
}

interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: unknown
  readonly ifMatch?: string
  readonly signal?: AbortSignal
}

/**
 * One call of the API. `T` is the schema's type in `src/protocol`, and no schema runs here: the tests hold the service to them,
 * and a tab that stays open over an update must not refuse a field that is new. What a view cannot show, `ViewFault` says. With
 * zod and four of the schemas the script had 97 KB instead of 68 KB, compressed.
 * @throws RequestError
 */
export const request = <T>(path: string, call: Call = {}): Promise<Answer<T>> =>
  requestAt(PREFIX + path, call)

/** The same below no prefix. @throws RequestError */
export async function requestAt<T>(path: string, call: Call = {}): Promise<Answer<T>> {
  const response = await send(path, call, AbortSignal.timeout(TIMEOUT_MS))
  const body = await response.json().catch(() => undefined)
  if (response.ok && body?.success === true)
    return { data: body.data as T, etag: response.headers.get('etag') }
  throw refusal(response.status, body)
}

/** A body that may go on for ever; only its head has a deadline. @throws RequestError where the answer has no good status */
export async function stream(path: string, call: Call): Promise<ReadableStream<Uint8Array>> {
  const head = new AbortController()
  const timer = setTimeout(() => head.abort(), TIMEOUT_MS)
  try {
    const response = await send(PREFIX + path, call, head.signal)
    if (response.ok && response.body !== null) return response.body
    throw refusal(response.status, await response.json().catch(() => undefined))
  } finally {
    clearTimeout(timer)
  }
}

async function send(path: string, call: Call, deadline: AbortSignal): Promise<Response> {
  const signals = call.signal === undefined ? [deadline] : [call.signal, deadline]
  try {
    const response = await fetch(path, {
      method: call.method ?? 'GET',
      headers: headersOf(call),
      cache: 'no-store',
      credentials: 'omit',
      signal: AbortSignal.any(signals),
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
    })
    if (response.status === 401) signOut('refused')
    return response
  } catch (thrown) {
    if (call.signal?.aborted) throw thrown
    throw new RequestError(0, 'unreachable', thrown instanceof Error ? thrown.message : String(thrown))
  }
}

function headersOf({ body, ifMatch }: Call): Record<string, string> {
  return {
    'accept-language': language.value,
    ...(token.value === undefined ? {} : { authorization: `Bearer ${token.value}` }),
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
  }
}

function refusal(status: number, body: Partial<ErrorBody> | undefined): RequestError {
  const { error } = body ?? {}
  if (error === undefined) return new RequestError(status, 'unreadable', `HTTP ${status}`)
  return new RequestError(status, error.code, error.message, error.details)
}
