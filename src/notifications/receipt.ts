import type { NotifyFormat } from '../protocol/notification.js'

/** What the other side answered. */
export interface Receipt {
  readonly status: number
  readonly retryAfter?: string
  /** the beginning of it */
  readonly body: string
}

/** How an attempt ended; `why` is a status or a code, never text of the other side. */
export type AttemptResult =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'again'; readonly why: string; readonly retryAfterMs: number }
  | { readonly kind: 'refused'; readonly why: string }

/** ms; a receiver that asks for a longer pause is asked again after this anyway */
const MAX_RETRY_AFTER_MS = 60_000
/** Feishu's code of a bot that is told too much at once; it comes with status 200 or 400 */
const FEISHU_TOO_FREQUENT = 11_232

/** 429 and 5xx may pass; any other status but 2xx will not. Feishu tells its refusals as a `code` in the body. */
export function attemptResult(receipt: Receipt, format: NotifyFormat, wallMs: number): AttemptResult {
  const { status } = receipt
  const retryAfterMs = retryAfter(receipt.retryAfter, wallMs)
  if (status === 429 || status >= 500) return { kind: 'again', why: `status ${status}`, retryAfterMs }
  const code = format === 'feishu' ? feishuCode(receipt.body) : 0
  if (code === FEISHU_TOO_FREQUENT) return { kind: 'again', why: `code ${code}`, retryAfterMs }
  if (status < 200 || status >= 300) return { kind: 'refused', why: `status ${status}` }
  return code === 0 ? { kind: 'delivered' } : { kind: 'refused', why: `code ${code}` }
}

/** `Retry-After` in ms: seconds or an HTTP date; 0 if it says nothing. */
function retryAfter(value: string | undefined, wallMs: number): number {
  if (value === undefined) return 0
  const ms = /^\s*\d+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - wallMs
  return Number.isNaN(ms) ? 0 : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS)
}

/** 0 if there is none. */
function feishuCode(body: string): number {
  try {
    const answer: unknown = JSON.parse(body)
    if (typeof answer !== 'object' || answer === null || !('code' in answer)) return 0
    return typeof answer.code === 'number' ? answer.code : 0
  } catch {
    return 0
  }
}

const FIRST_PAUSE_MS = 1_000
const MAX_PAUSE_MS = 30_000

/**
 * ms before the attempt after the n-th (from 1): doubling from a second, of which up to half is chance, so that replicas
 * do not knock together; never before the other side wants to hear again.
 * @param random 0 to 1
 */
export function pauseAfter(attempt: number, retryAfterMs: number, random: number): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), MAX_PAUSE_MS)
  return Math.max(pause * (0.5 + random / 2), retryAfterMs)
}
