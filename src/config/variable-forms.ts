import { z } from 'zod'
import { parseRedisUrl, REDIS_URL_FORM } from '../core/redis/redis-url.js'

/** A whole number from `least` to `most`. Each form of this file parses one variable, and its error says what the value must be. */
export const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`)

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` })

export const httpUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    'must be an http or https URL',
  )

export const redisUrl = z.string().transform((value, context) => {
  const address = parseRedisUrl(value.trim())
  if (address !== undefined) return address
  context.addIssue({ code: 'custom', message: REDIS_URL_FORM })
  return z.NEVER
})

/** Keys read from a file often end in a line break, which no request could carry. */
export const headerValue = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]+$/, 'must be of visible ASCII characters, without blanks')

/** A browser takes keys and codes over plain http only from this machine. */
export const secureUrl = httpUrl.refine(
  (value) => /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$))/i.test(value),
  'must be an https URL, or an http URL of this machine',
)

export const oidcScope = z
  .string()
  .trim()
  .refine((value) => value.split(/\s+/).includes('openid'), 'must have openid among its words')

/** As RFC 8707 has it. */
export const oidcResource = z
  .string()
  .trim()
  .refine(
    (value) => URL.canParse(value) && !value.includes('#'),
    'must be an absolute URI without a fragment',
  )

export const flag = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['true', 'false', '1', '0'], { error: 'must be true or false' }))
  .transform((value) => value === 'true' || value === '1')

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

export const origins = list.refine(
  (values) => values.every(isOrigin),
  'must be a comma-separated list of origins as browsers send them, like https://chat.example or http://localhost:3000',
)

function isOrigin(value: string): boolean {
  return /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value
}

/** `gpt-4o=assistant, support`: a model and its agent, or one name for both. */
export const models = list
  .transform((values) =>
    values.map((value) => {
      const [id = '', agentId = id, ...more] = value.split('=').map((part) => part.trim())
      return { id, agentId, isWrong: more.length > 0 }
    }),
  )
  .refine(
    (values) => values.every(({ id, agentId, isWrong }) => isName(id) && isName(agentId) && !isWrong),
    'must be a comma-separated list of names, each a model or model=agent, of at most 200 characters',
  )
  .refine(
    (values) => new Set(values.map(({ id }) => id)).size === values.length,
    'must not name a model twice',
  )
  .transform((values) => values.map(({ id, agentId }) => ({ id, agentId })))

function isName(value: string): boolean {
  return value !== '' && value.length <= 200
}

const MIN_SECRET_BYTES = 32

export const secret = z
  .string()
  .refine(
    (value) => Buffer.byteLength(value) >= MIN_SECRET_BYTES,
    `must be at least ${MIN_SECRET_BYTES} bytes (make one: node -e "console.log(require('crypto').randomBytes(32).toString('hex'))")`,
  )
