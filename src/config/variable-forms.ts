import { z } from 'zod'
import { rule } from '../core/bilingual.js'
import { parseRedisUrl, REDIS_URL_FORM } from '../core/redis/redis-url.js'

/** A whole number from `least` to `most`. Each form of this file parses one variable, and its error says what the value must be. */
export const integer = (least: number, most: number) => {
  const form = rule(`must be a whole number from ${least} to ${most}`, `必须是 ${least} 到 ${most} 的整数`)
  return z
    .string()
    .refine((value) => /^\d+$/.test(value), form)
    .transform(Number)
    .refine((value) => value >= least && value <= most, form)
}

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` })

export const httpUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    rule('must be an http or https URL', '必须是 http 或 https URL'),
  )

export const redisUrl = z.string().transform((value, context) => {
  const address = parseRedisUrl(value.trim())
  if (address !== undefined) return address
  context.addIssue({
    code: 'custom',
    message: REDIS_URL_FORM.en,
    params: { 'zh-CN': REDIS_URL_FORM['zh-CN'] },
  })
  return z.NEVER
})

/** Keys read from a file often end in a line break, which no request could carry. */
export const headerValue = z
  .string()
  .trim()
  .refine(
    (value) => /^[\x21-\x7e]+$/.test(value),
    rule('must be of visible ASCII characters, without blanks', '必须由可见 ASCII 字符组成，不含空白'),
  )

/** A browser takes keys and codes over plain http only from this machine. */
export const secureUrl = httpUrl.refine(
  (value) => /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$))/i.test(value),
  rule('must be an https URL, or an http URL of this machine', '必须是 https URL，或本机的 http URL'),
)

export const oidcScope = z
  .string()
  .trim()
  .refine(
    (value) => value.split(/\s+/).includes('openid'),
    rule('must have openid among its words', '必须包含 openid'),
  )

/** As RFC 8707 has it. */
export const oidcResource = z
  .string()
  .trim()
  .refine(
    (value) => URL.canParse(value) && !value.includes('#'),
    rule('must be an absolute URI without a fragment', '必须是不含片段的绝对 URI'),
  )

export const flag = z
  .string()
  .toLowerCase()
  .refine(
    (value) => /^(?:true|false|1|0)$/.test(value),
    rule('must be true or false', '必须是 true 或 false'),
  )
  .transform((value) => value === 'true' || value === '1')

export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

export const origins = list.refine(
  (values) => values.every(isOrigin),
  rule(
    'must be a comma-separated list of origins as browsers send them, like https://chat.example or http://localhost:3000',
    '必须是逗号分隔的来源列表，与浏览器发送的一致，如 https://chat.example 或 http://localhost:3000',
  ),
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
    rule(
      'must be a comma-separated list of names, each a model or model=agent, of at most 200 characters',
      '必须是逗号分隔的名称列表，每项为模型或 模型=智能体，名称最多 200 个字符',
    ),
  )
  .refine(
    (values) => new Set(values.map(({ id }) => id)).size === values.length,
    rule('must not name a model twice', '同一模型不能出现两次'),
  )
  .transform((values) => values.map(({ id, agentId }) => ({ id, agentId })))

function isName(value: string): boolean {
  return value !== '' && value.length <= 200
}

const MIN_SECRET_BYTES = 32
const MAKE_SECRET = `node -e "console.log(require('crypto').randomBytes(32).toString('hex'))"`

export const secret = z
  .string()
  .refine(
    (value) => Buffer.byteLength(value) >= MIN_SECRET_BYTES,
    rule(
      `must be at least ${MIN_SECRET_BYTES} bytes (make one: ${MAKE_SECRET})`,
      `至少 ${MIN_SECRET_BYTES} 字节（生成方法：${MAKE_SECRET}）`,
    ),
  )
