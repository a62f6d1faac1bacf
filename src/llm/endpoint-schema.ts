import { z } from 'zod'
import type { Bilingual } from '../core/bilingual.js'
import { schemaFault } from '../core/json/schema-fault.js'

/** Parameters of our requests that an endpoint may want under another name or not at all. */
export const PARAMETERS = ['model', 'temperature', 'max_tokens', 'stream_options'] as const

/** What this schema says by itself, by the English text, which is zod's message. */
const TEXTS = {
  noKeyHere: {
    en: 'would put a key into the file; name it by apiKeyEnv or apiKeyFile',
    'zh-CN': '会把密钥写进文件；请用 apiKeyEnv 或 apiKeyFile 指明密钥的位置',
  },
  httpUrl: { en: 'must be an http or https URL', 'zh-CN': '必须是 http 或 https URL' },
  headerName: { en: 'is no name of a header', 'zh-CN': '不是合法的请求头名称' },
  ours: { en: 'is set by the service', 'zh-CN': '由服务设置' },
  ascii: { en: 'must be of visible ASCII characters', 'zh-CN': '必须由可见 ASCII 字符组成' },
  name: {
    en: 'must be 1 to 64 letters, digits, dots, hyphens or underscores, the first a letter or a digit',
    'zh-CN': '必须是 1 到 64 个字母、数字、点、连字符或下划线，且以字母或数字开头',
  },
  variable: {
    en: 'must be the name of an environment variable',
    'zh-CN': '必须是环境变量的名称',
  },
  noField: { en: 'is no field of an endpoint', 'zh-CN': '不是端点的字段' },
} as const satisfies Readonly<Record<string, Bilingual>>
const SECRET_HEADER = /^(?:proxy-)?authorization$|^cookie$|api-?key|subscription-key|secret|-token$/i
const SECRET_PARAMETER = /^(?:(?:x-)?api[-_]?key|key|(?:access[-_]?)?token|secret|authorization)$/i
/** Headers that the service or the connection sets. */
const OUR_HEADER =
  /^(?:accept|accept-encoding|connection|content-.*|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|x-request-id|x-chat-shadow)$/i
/** What the service sends in every request and an endpoint cannot change by `body`. */
const OUR_FIELD = /^(?:messages|stream|model)$/

const url = z
  .string()
  .refine((value) => isHttpUrl(value), TEXTS.httpUrl.en)
  .refine((value) => !isHttpUrl(value) || credentialsOf(value) === '', TEXTS.noKeyHere.en)
  .refine(
    (value) =>
      !isHttpUrl(value) || ![...new URL(value).searchParams.keys()].some((key) => SECRET_PARAMETER.test(key)),
    TEXTS.noKeyHere.en,
  )

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, TEXTS.headerName.en)
  .refine((name) => !SECRET_HEADER.test(name), TEXTS.noKeyHere.en)
  .refine((name) => !OUR_HEADER.test(name), TEXTS.ours.en)

const headerText = z.string().regex(/^[\x20-\x7e]*$/, TEXTS.ascii.en)

const queryName = z
  .string()
  .min(1)
  .refine((name) => !SECRET_PARAMETER.test(name), TEXTS.noKeyHere.en)

const bodyField = z
  .string()
  .min(1)
  .refine((name) => !SECRET_PARAMETER.test(name), TEXTS.noKeyHere.en)
  .refine((name) => !OUR_FIELD.test(name), TEXTS.ours.en)

const parameter = z.enum(PARAMETERS)

export const endpointSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, TEXTS.name.en)
    .describe('unique in the file; appears in the log, in metrics and in the flag chat-llm-route'),
  baseUrl: url.describe('up to and without /chat/completions'),
  model: z.string().min(1).describe('where the agent profile names none'),
  auth: z
    .enum(['bearer', 'api-key', 'none'])
    .exactOptional()
    .describe('how the key is sent: Authorization: Bearer, or a header api-key; left out: bearer with a key'),
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, TEXTS.variable.en)
    .exactOptional()
    .describe('the environment variable that has the key'),
  apiKeyFile: z
    .string()
    .min(1)
    .exactOptional()
    .describe('the file that has the key; a relative path begins at the directory of this file'),
  headers: z.record(headerName, headerText).exactOptional().describe('sent with every request'),
  query: z.record(queryName, z.string()).exactOptional().describe('added to the query of the URL'),
  rename: z
    .partialRecord(parameter, z.string().min(1))
    .exactOptional()
    .describe('parameters with another name, ours to theirs'),
  omit: z.array(parameter).exactOptional().describe('parameters that are not sent, by our names'),
  body: z
    .record(bodyField, z.json())
    .exactOptional()
    .describe('more fields of the request; they win over those of the service'),
  thinkTags: z
    .enum(['auto', 'off'])
    .exactOptional()
    .describe('auto: a <think> block at the start of an answer is thinking; off: it is text'),
  maxConcurrent: z.int().min(1).max(100_000).exactOptional().describe('requests at a time'),
  contextCharacters: z
    .int()
    .min(1)
    .max(100_000_000)
    .exactOptional()
    .describe('characters of all messages of a request at most; the oldest turns are left out'),
})
export type EndpointEntry = z.infer<typeof endpointSchema>

/** What `CHAT_LLM_FILE` holds. The published JSON schema is made from it. */
export const endpointFileSchema = z.strictObject({
  $schema: z.string().exactOptional(),
  endpoints: z.array(endpointSchema).min(1).max(100).describe('the first is asked first'),
})

/** The published JSON schema of the file, as text: `chat-cutover llm schema`. */
export function endpointJsonSchema(): string {
  const schema = z.toJSONSchema(endpointFileSchema, { io: 'input' })
  return `${JSON.stringify({ title: 'LLM endpoints of chat-cutover (CHAT_LLM_FILE)', ...schema }, null, 2)}\n`
}

/** Fields that people try for a key. @returns what to tell them; undefined for any other unknown field */
export function unknownFieldText(name: string): Bilingual {
  return SECRET_PARAMETER.test(name) || /^apiKey/i.test(name) ? TEXTS.noKeyHere : TEXTS.noField
}

/** What is wrong with a value of the file, to stand behind the name of its field. */
export function endpointFaultText(issue: z.core.$ZodIssue): Bilingual {
  return Object.values(TEXTS).find(({ en }) => en === issue.message) ?? schemaFault(issue)
}

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}

function credentialsOf(value: string): string {
  const { username, password } = new URL(value)
  return username + password
}
