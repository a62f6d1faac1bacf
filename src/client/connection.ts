import { ABORTED, type ChatError, isObject, jsonOf, messageOf, type Result, refusalOf } from './errors.js'

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface ChatClientOptions {
  /** where the service is, as `https://chat.example.com`; default: the page's own origin */
  readonly baseUrl?: string
  /**
   * Bearer token, or a function that gives one for each request. It is asked again with `renew`, once, when the service refused
   * the one before with 401.
   */
  readonly token: string | ((renew: boolean) => string | Promise<string>)
  /** of messages and sentences; default: zh-CN */
  readonly language?: 'zh-CN' | 'en'
  /** default: the global one */
  readonly fetch?: Fetch
  /** ms until the head of an answer; default 30,000 */
  readonly headMs?: number
  /** ms without a byte after which a stream counts as dead, and for the body of any other answer; default 45,000: three heartbeats */
  readonly silenceMs?: number
  /** further tries of one turn in a row, where they are safe; default 3 */
  readonly retries?: number
  /** ms before the first further try where the service names no time; doubles with each; default 500 */
  readonly retryDelayMs?: number
  /** ms; where the service asks for a longer wait, the turn fails; default 30,000 */
  readonly maxRetryWaitMs?: number
  /**
   * The service answers a second call with the same `Idempotency-Key` by the first one's stream, so that a call without an answer
   * may be sent again. Default: as soon as a stream of it was resumable.
   */
  readonly idempotent?: boolean
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** below `/api/v1` */
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer with a good status, or why there is none. */
export type Reached =
  | { readonly ok: true; readonly response: Response }
  /** `unsent`: the service cannot have got the call, or did nothing of it */
  | { readonly ok: false; readonly error: ChatError; readonly unsent: boolean }

/** ms; `silenceMs` where it is not given */
export const SILENCE_MS = 45_000

const LATE = 'no answer in time'

/** What Node and Bun say where no connection came about; browsers tell nothing. */
const NEVER_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/

/** Sends one call, with another token where the first one is refused. Never rejects. */
export async function reach(options: ChatClientOptions, call: Call, signal: AbortSignal): Promise<Reached> {
  const first = await once(options, call, signal, false)
  const isRefused = !first.ok && first.error.kind === 'refused' && first.error.status === 401
  return isRefused && typeof options.token === 'function' ? once(options, call, signal, true) : first
}

async function once(
  options: ChatClientOptions,
  call: Call,
  signal: AbortSignal,
  renew: boolean,
): Promise<Reached> {
  const head = new AbortController()
  const abort = (): void => head.abort()
  const isLate = (): void => head.abort(new DOMException(LATE, 'TimeoutError'))
  const timer = setTimeout(isLate, options.headMs ?? 30_000)
  // Stays for the body: an abort of the caller closes the connection at once.
  signal.addEventListener('abort', abort, { once: true })
  if (signal.aborted) abort()
  try {
    const token = await tokenOf(options, renew, head.signal)
    if (!token.ok) return { ...token, unsent: true }
    const response = await send(options, call, token.data, head.signal)
    if (response.ok) return { ok: true, response }
    const error = await refusalOf(response)
    const isPutOff = error.kind === 'refused' && (error.status === 429 || error.status === 503)
    return { ok: false, error, unsent: isPutOff }
  } catch (cause) {
    const error: ChatError = signal.aborted
      ? ABORTED
      : { kind: 'unreachable', message: messageOf(cause), cause }
    return { ok: false, error, unsent: neverConnected(cause) }
  } finally {
    clearTimeout(timer)
  }
}

function send(
  { fetch: given, baseUrl = '', language = 'zh-CN' }: ChatClientOptions,
  { method, path, body, headers }: Call,
  token: string,
  signal: AbortSignal,
): Promise<Response> {
  const hasBody = body !== undefined
  return (given ?? fetch)(`${baseUrl.replace(/\/+$/, '')}/api/v1${path}`, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      'Accept-Language': language,
      ...(hasBody ? { 'Content-Type': 'application/json' } : {}),
      ...headers,
    },
    ...(hasBody ? { body: JSON.stringify(body) } : {}),
    signal,
  })
}

/** Rejects when the signal is aborted, also while the function still works. */
async function tokenOf(
  { token }: ChatClientOptions,
  renew: boolean,
  signal: AbortSignal,
): Promise<Result<string>> {
  const aborted = new Promise<never>((_, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
  })
  // Nobody may wait for it any more.
  aborted.catch(() => undefined)
  if (typeof token === 'string') return signal.aborted ? aborted : { ok: true, data: token }
  const given = (async () => token(renew))().then(
    (data): Result<string> => ({ ok: true, data }),
    (cause): Result<string> => ({ ok: false, error: { kind: 'no_token', message: messageOf(cause), cause } }),
  )
  return Promise.race([given, aborted])
}

function neverConnected(thrown: unknown): boolean {
  const cause = isObject(thrown) && isObject(thrown.cause) ? thrown.cause : undefined
  return NEVER_CONNECTED.test(String(cause?.code))
}

/** The data of a call that answers with JSON. Never rejects. */
export async function ask<T>(
  options: ChatClientOptions,
  call: Call,
  isData: (data: unknown) => data is T,
  signal?: AbortSignal,
): Promise<Result<T>> {
  const own = new AbortController()
  const abort = (): void => own.abort()
  signal?.addEventListener('abort', abort)
  if (signal?.aborted) abort()
  let timer: ReturnType<typeof setTimeout> | undefined
  let isLate = false
  try {
    const reached = await reach(options, call, own.signal)
    if (!reached.ok) return reached
    // The body is of some kB: what takes longer than this does not come.
    timer = setTimeout(() => {
      isLate = true
      own.abort()
    }, options.silenceMs ?? SILENCE_MS)
    const { status } = reached.response
    const body = jsonOf(await reached.response.text())
    const data = isObject(body) ? body.data : undefined
    if (isData(data)) return { ok: true, data }
    return { ok: false, error: { kind: 'unexpected', status, message: 'not an answer of chat-cutover' } }
  } catch (cause) {
    if (own.signal.aborted && !isLate) return { ok: false, error: ABORTED }
    return { ok: false, error: { kind: 'unreachable', message: isLate ? LATE : messageOf(cause), cause } }
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}
