import { z } from 'zod'

/** Parameters of our requests that an endpoint may want under another name or not at all. */
export const PARAMETERS = ['model', 'temperature', 'max_tokens', 'stream_options'] as const

const NO_KEY_HERE = 'would put a key into the file; name it by apiKeyEnv or apiKeyFile'
const SECRET_HEADER = /^(?:proxy-)?authorization$|^cookie$|api-?key|subscription-key|secret|-token$/i
const SECRET_PARAMETER = /^(?:(?:x-)?api[-_]?key|key|(?:access[-_]?)?token|secret|authorization)$/i
/** Headers that the service or the connection sets. */
const OUR_HEADER =
  /^(?:accept|accept-encoding|connection|content-.*|expect|host|keep-alive|te|trailer|transfer-encoding|upgrade|x-request-id|x-chat-shadow)$/i
/** What the service sends in every request and an endpoint cannot change by `body`. */
const OUR_FIELD = /^(?:messages|stream|model)$/

const url = z
  .string()
  .refine((value) => isHttpUrl(value), 'must be an http or https URL')
  .refine((value) => !isHttpUrl(value) || credentialsOf(value) === '', NO_KEY_HERE)
  .refine(
    (value) =>
      !isHttpUrl(value) || ![...new URL(value).searchParams.keys()].some((key) => SECRET_PARAMETER.test(key)),
    NO_KEY_HERE,
  )

const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'is no name of a header')
  .refine((name) => !SECRET_HEADER.test(name), NO_KEY_HERE)
  .refine((name) => !OUR_HEADER.test(name), 'is set by the service')

const headerText = z.string().regex(/^[\x20-\x7e]*$/, 'must be of visible ASCII characters')

const queryName = z
  .string()
  .min(1)
  .refine((name) => !SECRET_PARAMETER.test(name), NO_KEY_HERE)

const bodyField = z
  .string()
  .min(1)
  .refine((name) => !SECRET_PARAMETER.test(name), NO_KEY_HERE)
  .refine((name) => !OUR_FIELD.test(name), 'is set by the service')

const parameter = z.enum(PARAMETERS, { error: `must be one of ${PARAMETERS.join(', ')}` })

export const endpointSchema = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
      'must be 1 to 64 letters, digits, dots, hyphens or underscores, the first a letter or a digit',
    )
    .describe('unique in the file; appears in the log, in metrics and in the flag chat-llm-route'),
  baseUrl: url.describe('up to and without /chat/completions'),
  model: z.string().min(1).describe('where the agent profile names none'),
  auth: z
    .enum(['bearer', 'api-key', 'none'], { error: 'must be one of bearer, api-key, none' })
    .exactOptional()
    .describe('how the key is sent: Authorization: Bearer, or a header api-key; left out: bearer with a key'),
  apiKeyEnv: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
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
    .enum(['auto', 'off'], { error: 'must be auto or off' })
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
export function unknownFieldText(name: string): string {
  return SECRET_PARAMETER.test(name) || /^apiKey/i.test(name) ? NO_KEY_HERE : 'is no field of an endpoint'
}

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}

function credentialsOf(value: string): string {
  const { username, password } = new URL(value)
  return username + password
}
