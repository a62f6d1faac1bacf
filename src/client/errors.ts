import type { ApiErrorCode } from '../protocol/api.js'
import type { ErrorEvent, StreamErrorCode } from '../protocol/events.js'

/** A code that this version knows, or one of a newer service. */
export type Known<T extends string> = T | (string & {})

export type InterruptionReason = 'broke' | 'ended' | 'silent'

/**
 * Why a call or a turn has no answer, told apart by `kind`.
 * - `turn`: the turn began and failed; `code` says how, `recoverable` whether the same message may work.
 * - `refused`: the service refused the call, and nothing of it was done.
 * - `interrupted`: the stream `broke`, `ended` before its last event, or was `silent` for too long. The answer may be in the history all
 *   the same.
 * - `unreachable`: no answer at all. Whether the service got the call is not known.
 * - `unexpected`: what answered is not this service: a proxy, or a wrong address.
 * - `no_token`: the function that gives the token failed; `cause` is what it threw.
 * - `aborted`: ended by the caller.
 */
export type ChatError =
  | ({ readonly kind: 'turn'; readonly code: Known<StreamErrorCode> } & Omit<ErrorEvent, 'code'>)
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly code: Known<ApiErrorCode>
      readonly message: string
      /** one line a field */
      readonly details: readonly string[]
      /** after so many ms another try is worth it */
      readonly retryAfterMs?: number
      /** to name to an administrator */
      readonly requestId?: string
    }
  | { readonly kind: 'interrupted'; readonly message: string; readonly reason: InterruptionReason }
  | { readonly kind: 'unreachable'; readonly message: string; readonly cause: unknown }
  | { readonly kind: 'unexpected'; readonly message: string; readonly status: number }
  | { readonly kind: 'no_token'; readonly message: string; readonly cause: unknown }
  | { readonly kind: 'aborted'; readonly message: string }

/** What a call gives: its data, or why there is none. Calls never reject. */
export type Result<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly error: ChatError }

/** Whether sending the same message again may work. It may be answered twice then, but for `refused`. */
export function isRecoverable(error: ChatError): boolean {
  switch (error.kind) {
    case 'turn':
      return error.recoverable
    case 'refused':
      return error.status === 429 || error.status === 503
    case 'interrupted':
    case 'unreachable':
      return true
    case 'unexpected':
      return error.status >= 500
    case 'no_token':
    case 'aborted':
      return false
  }
}

export const ABORTED: ChatError = { kind: 'aborted', message: 'aborted by the caller' }

export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown)

/** Of an answer that is no success. */
export async function refusalOf(response: Response): Promise<ChatError> {
  const { status, headers } = response
  const body = jsonOf(await response.text().catch(() => ''))
  const told = isObject(body) ? body.error : undefined
  if (!isObject(told) || typeof told.code !== 'string')
    return { kind: 'unexpected', status, message: `status ${status}, and not an answer of chat-cutover` }
  const seconds = Number(headers.get('retry-after') ?? Number.NaN)
  const requestId = headers.get('x-request-id')
  return {
    kind: 'refused',
    status,
    code: told.code,
    message: String(told.message),
    details: Array.isArray(told.details) ? told.details.map(String) : [],
    ...(seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {}),
    ...(requestId === null ? {} : { requestId }),
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** Undefined where the text is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
