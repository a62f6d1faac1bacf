import { z } from 'zod'
import { errorCode, errorText } from '../core/errors.js'
import { API_PREFIX, errorBodySchema } from '../protocol/api.js'

/** Why a command ended: `message` is ready to print. Exit code 1: the service or what it said; 2: wrong usage. */
export class CommandError extends Error {
  override readonly name = 'CommandError'

  constructor(
    message: string,
    readonly exitCode: 1 | 2,
  ) {
    super(message)
  }
}

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_URL = 'http://127.0.0.1:3001'
const DEADLINE_MS = 30_000

const successSchema = z.object({ success: z.literal(true), data: z.unknown() })

/**
 * The data of a GET of the running service, found by CHAT_URL and asked with CHAT_TOKEN; sentences in English.
 * @param query what is undefined is left out
 * @throws CommandError
 */
export async function getData<T>(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  schema: z.ZodType<T>,
  env: Environment,
): Promise<T> {
  const base = baseUrl(env)
  const token = tokenOf(env)
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given)}`
  const { status, body } = await get(base, `${API_PREFIX}${path}${search}`, token)
  const refused = errorBodySchema.safeParse(body)
  if (refused.success) throw new CommandError(refusal(status, refused.data.error), 1)
  const success = successSchema.safeParse(body)
  if (!success.success)
    throw new CommandError(`What answers at ${base} (status ${status}) is not chat-cutover.`, 1)
  const data = schema.safeParse(success.data.data)
  if (data.success) return data.data
  throw new CommandError(`The service at ${base} is of another version: its answer has another shape.`, 1)
}

function baseUrl(env: Environment): string {
  const url = env.CHAT_URL?.trim() || DEFAULT_URL
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url.replace(/\/+$/, '')
  throw new CommandError('CHAT_URL must be an http or https URL, like http://127.0.0.1:3001', 2)
}

function tokenOf(env: Environment): string {
  const token = env.CHAT_TOKEN?.trim() ?? ''
  if (token === '')
    throw new CommandError(
      'CHAT_TOKEN is not set. Set it to an access token of a person who may operate the service (CHAT_OPERATOR_ROLE)',
      2,
    )
  if (/^[\w.~+/=-]+$/.test(token)) return token
  throw new CommandError('CHAT_TOKEN is no token: set it to the token alone, without "Bearer" and blanks', 2)
}

async function get(base: string, path: string, token: string): Promise<{ status: number; body: unknown }> {
  try {
    const response = await fetch(`${base}${path}`, {
      headers: { Authorization: `Bearer ${token}`, 'Accept-Language': 'en' },
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const text = await response.text()
    return { status: response.status, body: jsonOf(text) }
  } catch (thrown) {
    throw new CommandError(`No service at ${base}: ${whyUnreachable(thrown)}. CHAT_URL says where it is`, 1)
  }
}

function whyUnreachable(thrown: unknown): string {
  if (thrown instanceof Error && thrown.name === 'TimeoutError')
    return `it did not answer within ${DEADLINE_MS / 1000} s`
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
  return errorCode(cause) ?? errorText(cause)
}

function refusal(
  status: number,
  { code, message, details = [] }: { code: string; message: string; details?: string[] | undefined },
): string {
  const hint =
    status === 401
      ? ['CHAT_TOKEN holds the token that was sent.']
      : status === 403
        ? ['CHAT_TOKEN is of a role below CHAT_OPERATOR_ROLE.']
        : []
  return printable([`The service refused (${status} ${code}): ${message}`, ...details, ...hint].join('\n  '))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whatever answered, it does not steer the terminal. */
const printable = (text: string): string => text.replace(/[^\P{Cc}\n]/gu, ' ')
