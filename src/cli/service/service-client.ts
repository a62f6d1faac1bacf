import { z } from 'zod'
import { type ChatClient, type ChatError, createChatClient } from '../../client/index.js'
import { parsedJson } from '../../core/json/parsed-json.js'
import { API_PREFIX } from '../../protocol/api.js'
import { causeText } from '../text/cause-text.js'
import { CommandError, Interrupted, Unreachable } from '../text/command-error.js'
import { type Language, type Say, sayIn } from '../text/language.js'
import type { Connection } from './connection.js'
import { parseKnown } from './loose-parse.js'
import { refusalOf } from './refusal.js'

type Query = Readonly<Record<string, string | undefined>>

export const DEFAULT_DEADLINE_MS = 30_000

export interface ClientOptions {
  readonly language: Language
  /** ms that one call may take; of a stream, until its head */
  readonly deadlineMs: number
  /** aborted by Ctrl-C */
  readonly interrupted?: AbortSignal
}

export interface Call {
  /** GET where it is absent */
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** below the prefix of the API */
  readonly path: string
  /** what is undefined is left out */
  readonly query?: Query
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer<T> {
  readonly data: T
  readonly headers: Headers
}

/** The running service. Every call throws a CommandError that is ready to print. */
export interface ServiceClient {
  readonly connection: Connection
  ask<T>(call: Call, schema: z.ZodType<T>): Promise<Answer<T>>
  /** A call that is answered by its status alone. */
  tell(call: Call): Promise<void>
  /** An event stream whose head has come; it ends when the signal is aborted. */
  open(call: Call, until: AbortSignal): Promise<Response>
  /** Turns. They throw nothing: `chatFailure` makes an error of how they ended. */
  readonly chat: ChatClient
  chatFailure(error: Exclude<ChatError, { kind: 'turn' }>): CommandError
}

/** As in the protocol, but with codes that only a newer service knows. */
const refusedSchema = z.object({
  success: z.literal(false),
  error: z.object({ code: z.string(), message: z.string(), details: z.array(z.string()).optional() }),
})
const successSchema = z.object({ success: z.literal(true), data: z.unknown() })

export function createServiceClient(connection: Connection, options: ClientOptions): ServiceClient {
  const t = sayIn(options.language)
  const { url } = connection

  const send = async (call: Call, signal: AbortSignal): Promise<Response> => {
    const given = Object.entries(call.query ?? {}).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    )
    const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`
    const body = call.body === undefined ? {} : { body: JSON.stringify(call.body) }
    return fetch(`${url}${API_PREFIX}${call.path}${search}`, {
      method: call.method ?? 'GET',
      ...body,
      headers: {
        Authorization: `Bearer ${connection.token}`,
        'Accept-Language': options.language,
        ...(call.body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...call.headers,
      },
      signal,
    })
  }

  const failure = (thrown: unknown): CommandError => {
    if (thrown instanceof CommandError) return thrown
    if (options.interrupted?.aborted) return new Interrupted()
    const why = whyUnreachable(thrown, options.deadlineMs, t)
    return new Unreachable(
      t(
        `No service at ${url}: ${why}. Start it, or correct the address (from ${connection.urlFrom})`,
        `无法访问 ${url} 的服务：${why}。请启动服务，或修正地址（取自 ${connection.urlFrom}）`,
      ),
    )
  }

  const refuse = (response: Response, text: string): CommandError => {
    const refused = refusedSchema.safeParse(parsedJson(text))
    if (refused.success)
      return refusalOf(
        {
          status: response.status,
          ...refused.data.error,
          details: refused.data.error.details ?? [],
          retryAfter: response.headers.get('Retry-After'),
        },
        connection,
        t,
      )
    return foreign(response.status)
  }

  const foreign = (status: number): CommandError =>
    new CommandError(
      t(
        `What answers at ${url} (status ${status}) is not chat-cutover.`,
        `${url} 的应答者不是 chat-cutover（状态码 ${status}）。`,
      ),
      1,
    )

  const chatFailure: ServiceClient['chatFailure'] = (error) => {
    switch (error.kind) {
      case 'refused': {
        const { retryAfterMs } = error
        const retryAfter = retryAfterMs === undefined ? null : String(retryAfterMs / 1000)
        return refusalOf({ ...error, retryAfter }, connection, t)
      }
      case 'unexpected':
        return foreign(error.status)
      case 'unreachable':
      case 'no_token':
        return failure(error.cause)
      case 'interrupted': {
        const reasons = {
          ended: t('it ended without an answer', '未返回回答即结束'),
          silent: t('nothing came for too long', '长时间没有收到数据'),
          broke: error.message,
        }
        const why = reasons[error.reason]
        return new CommandError(t(`\nThe stream broke: ${why}`, `\n事件流中断：${why}`), 1)
      }
      case 'aborted':
        return new Interrupted()
    }
  }

  return {
    connection,
    // The person who typed the command decides about another try.
    chat: createChatClient({
      baseUrl: url,
      token: connection.token,
      language: options.language,
      headMs: options.deadlineMs,
      retries: 0,
    }),
    chatFailure,
    async ask(call, schema) {
      try {
        const response = await send(call, deadline(options))
        const text = await response.text()
        const success = successSchema.safeParse(parsedJson(text))
        if (!success.success) throw refuse(response, text)
        const data = parseKnown(schema, success.data.data)
        if (data !== undefined) return { data, headers: response.headers }
        throw new CommandError(
          t(
            `The service at ${url} is of another version: its answer has another shape.`,
            `${url} 的服务版本不同：应答格式不一致。`,
          ),
          1,
        )
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    async tell(call) {
      try {
        const response = await send(call, deadline(options))
        const text = await response.text()
        if (!response.ok) throw refuse(response, text)
      } catch (thrown) {
        throw failure(thrown)
      }
    },
    async open(call, until) {
      const head = new AbortController()
      const timer = setTimeout(() => head.abort(new DOMException('late', 'TimeoutError')), options.deadlineMs)
      try {
        const response = await send(call, AbortSignal.any([until, head.signal]))
        const type = response.headers.get('content-type') ?? ''
        if (response.ok && type.startsWith('text/event-stream')) return response
        throw refuse(response, await response.text())
      } catch (thrown) {
        throw failure(thrown)
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

const deadline = ({ deadlineMs, interrupted }: ClientOptions): AbortSignal =>
  AbortSignal.any([AbortSignal.timeout(deadlineMs), ...(interrupted === undefined ? [] : [interrupted])])

function whyUnreachable(thrown: unknown, deadlineMs: number, t: Say): string {
  if (thrown instanceof Error && thrown.name === 'TimeoutError')
    return t(`it did not answer within ${deadlineMs / 1000} s`, `${deadlineMs / 1000} 秒内没有应答`)
  return causeText(thrown instanceof Error ? (thrown.cause ?? thrown) : thrown, t)
}
