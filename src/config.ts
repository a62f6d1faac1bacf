import { hostname } from 'node:os'
import { z } from 'zod'
import { errorText } from './core/errors.js'
import { SECRET_VARIABLES, withSecretFiles } from './core/files/secret-files.js'
import { LOG_LEVELS, type LogLevel } from './core/logger.js'
import { DEFAULT_LIMITS, type PostgresLimits } from './core/postgres/postgres-limits.js'
import { isPostgresUrl, postgresAddress } from './core/postgres/postgres-url.js'
import { parseRedisUrl, REDIS_URL_FORM, type RedisAddress } from './core/redis/redis-url.js'
import { readTracingSettings, type TracingSettings } from './core/tracing/tracing-settings.js'
import { type LlmEndpoint, type LlmEndpoints, llmEndpoint } from './llm/endpoint.js'
import { loadEndpoints } from './llm/load-endpoints.js'
import { EXECUTION_MODES, type ExecutionMode } from './protocol/modes.js'
import { NOTIFY_FORMATS, type NotifyFormat } from './protocol/notification.js'
import { type FlagStoreChoice, parseFlagStore } from './store/flag-store-choice.js'

/** How tokens are verified: one shared secret (HS256), or the public keys behind a URL. */
export type TokenKeys = { kind: 'secret'; secret: string } | { kind: 'jwks'; url: URL }

export const RESOLVERS = ['file', 'in-process', 'rpc'] as const
export type Resolver = (typeof RESOLVERS)[number]

export const ON_DISCONNECT = ['cancel', 'finish'] as const
export type OnDisconnect = (typeof ON_DISCONNECT)[number]

/** The whole of what the environment says, parsed once. Names in comments are the variables. */
export interface Config {
  /** PORT; 0 takes a free one */
  readonly port: number
  /** HOST */
  readonly host: string
  readonly logLevel: LogLevel
  /** CHAT_REPLICA */
  readonly replica: string
  /** CHAT_WORKERS: processes behind the port, each a replica of its own */
  readonly workers: number
  /** number of this process among them, from 1; not of the environment, and absent where it is the only one */
  readonly worker?: number
  /** CHAT_READY_WAIT_MS: how long a start waits for flags, signing keys and database before it goes by what was kept of them */
  readonly readyWaitMs: number
  /** CHAT_LAMEDUCK_MS: how long the replica, no longer ready, goes on as before after SIGTERM */
  readonly lameduckMs: number
  /** CHAT_DRAIN_MS: how long running turns may go on after that */
  readonly drainMs: number
  /** CHAT_DATABASE: path of the SQLite file, `:memory:`, or the URL of a PostgreSQL database, which may carry a password */
  readonly database: string
  /** CHAT_REDIS_URL: where replicas share streams, stops and evidence; absent: each works alone */
  readonly redis?: RedisAddress
  /** CHAT_DATABASE_POOL_SIZE and CHAT_DATABASE_TIMEOUT_MS, for PostgreSQL */
  readonly databaseLimits: PostgresLimits
  /** CHAT_RETENTION_DAYS: after so many days in which nothing was said a conversation is erased; 0: never */
  readonly retentionDays: number
  /** CHAT_MAX_STREAMS: open streams above which new turns get 503 `overloaded` */
  readonly maxStreams: number
  /** CHAT_ON_DISCONNECT: whether a turn that nobody reads any more is cancelled or finished */
  readonly onDisconnect: OnDisconnect
  /** CHAT_RECONNECT_GRACE_MS: how long a turn that nobody reads goes on before it is cancelled */
  readonly reconnectGraceMs: number
  /** CHAT_RATE_LIMIT_PER_MINUTE: turns a user may start in a minute; 0 = no limit */
  readonly turnsPerMinute: number
  /** CHAT_HISTORY_BUDGET: characters of history sent to a backend */
  readonly historyBudget: number
  /** CHAT_CORS_ORIGINS: whose pages may call the service, exactly as browsers send them */
  readonly corsOrigins: readonly string[]
  readonly auth: {
    readonly keys: TokenKeys
    readonly issuer?: string
    readonly audience?: string
    /** CHAT_OPERATOR_ROLE: the least role that reaches beyond one org */
    readonly operatorRole: 'admin' | 'owner'
  }
  readonly flags: {
    readonly resolver: Resolver
    /** CHAT_FLAGS_FILE, owned by ops */
    readonly opsFile: string
    /** CHAT_FALLBACK_FLAGS_FILE, owned by the service */
    readonly overrideFile: string
    readonly flagd: { readonly host: string; readonly port: number; readonly tls: boolean }
    /** CHAT_FLAG_STORE: where the override is; absent: in its file */
    readonly store?: FlagStoreChoice
    /** CHAT_FLAG_STORE_OPS: the operators' flags are in that store too */
    readonly opsInStore?: boolean
    /** CHAT_FLAG_SOURCE_PORT: where flagd daemons get the flags from this service; absent: nowhere */
    readonly sourcePort?: number
  }
  /** What the flags fall back to. */
  readonly codeDefaults: CodeDefaults
  readonly runtime: {
    /** RUNTIME_SERVICE_URL without a trailing slash */
    readonly url: string
    /** CHAT_FILE_ORIGINS: where its files may be beside its own origin */
    readonly fileOrigins: readonly string[]
  }
  /** CHAT_DEMO: the runtime is the simulator, whose faults an operator may set from the console */
  readonly demo: boolean
  /** CHAT_CONSOLE_OIDC_ISSUER and the like: where operators sign in to the console; absent: they paste a token */
  readonly consoleOidc?: ConsoleOidc
  /** The direct LLM: CHAT_LLM_FILE, or one endpoint from LLM_BASE_URL, LLM_API_KEY and LLM_MODEL. */
  readonly llm: LlmEndpoints
  /** The OpenAI-compatible front. */
  readonly openai: {
    /** CHAT_OPENAI_MODELS: the models it offers, and the agent behind each; the default is the first endpoint's model */
    readonly models: readonly { readonly id: string; readonly agentId: string }[]
  }
  /** What is run beside the users' turns, unseen. */
  readonly shadow: {
    /** CHAT_SHADOW_AA_PERCENT: of the shadows, how many run the control's own backend once more (0 to 100) */
    readonly aaPercent: number
    /** CHAT_SHADOW_MAX_CONCURRENT: shadows running at a time; what is beyond is dropped */
    readonly maxConcurrent: number
    /** CHAT_SHADOW_REQUIRE_FENCE: shadows only towards a runtime that says it keeps the fence */
    readonly requireFence: boolean
    /** CHAT_SHADOW_KEEP_CONTENT: keep both answers, redacted */
    readonly keepContent: boolean
    /** CHAT_SHADOW_CONTENT_DAYS: how long */
    readonly contentDays: number
  }
  /** Whom to tell of each transition of the override; absent: nobody. */
  readonly notify?: {
    /** CHAT_NOTIFY_URL: those of Slack and Feishu are secrets */
    readonly url: string
    readonly format: NotifyFormat
    /** CHAT_NOTIFY_SECRET: signs each notification */
    readonly secret?: string
  }
  /** OTEL_EXPORTER_OTLP_ENDPOINT and the like: where spans go; absent: nowhere */
  readonly tracing?: TracingSettings
}

/** A public client of an OpenID Connect issuer: authorization code with PKCE, no secret. */
export interface ConsoleOidc {
  /** exactly as the issuer calls itself */
  readonly issuer: string
  readonly clientId: string
  /** separated by blanks; `openid` is one of them */
  readonly scope: string
}

/** The environment's say where the flags have none. */
export interface CodeDefaults {
  readonly mode: ExecutionMode
  /** orgs that get the runtime whatever `mode` says */
  readonly enabledOrgs: readonly string[]
  /** 0 to 100 */
  readonly shadowPercent: number
  /** guardrail `totalMs` where it is null */
  readonly totalMs: number
  /** guardrail `errorRate` where it is null, 0 to 1 */
  readonly errorRate: number
}

/** Every fault of the environment at once; `message` is ready to print. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'

  constructor(readonly faults: readonly string[]) {
    super(
      `The environment has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults
        .map((fault) => `  - ${fault}`)
        .join('\n')}\nEvery variable is listed in .env.example.`,
    )
  }
}

const integer = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine((value) => value >= least && value <= most, `must be a whole number from ${least} to ${most}`)

const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` })

const httpUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol),
    'must be an http or https URL',
  )

const redisUrl = z.string().transform((value, context) => {
  const address = parseRedisUrl(value.trim())
  if (address !== undefined) return address
  context.addIssue({ code: 'custom', message: REDIS_URL_FORM })
  return z.NEVER
})

/** Keys read from a file often end in a line break, which no request could carry. */
const headerValue = z
  .string()
  .trim()
  .regex(/^[\x21-\x7e]+$/, 'must be of visible ASCII characters, without blanks')

/** A browser takes keys and codes over plain http only from this machine. */
const secureUrl = httpUrl.refine(
  (value) => /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])([:/]|$))/i.test(value),
  'must be an https URL, or an http URL of this machine',
)

const oidcScope = z
  .string()
  .trim()
  .refine((value) => value.split(/\s+/).includes('openid'), 'must have openid among its words')

const withoutTrailingSlash = (url: string): string => url.replace(/\/+$/, '')

const flag = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['true', 'false', '1', '0'], { error: 'must be true or false' }))
  .transform((value) => value === 'true' || value === '1')

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
)

const origins = list.refine(
  (values) => values.every(isOrigin),
  'must be a comma-separated list of origins as browsers send them, like https://chat.example or http://localhost:3000',
)

function isOrigin(value: string): boolean {
  return /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value
}

/** `gpt-4o=assistant, support`: a model and its agent, or one name for both. */
const models = list
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

const secret = z
  .string()
  .refine(
    (value) => Buffer.byteLength(value) >= MIN_SECRET_BYTES,
    `must be at least ${MIN_SECRET_BYTES} bytes (make one: node -e "console.log(require('crypto').randomBytes(32).toString('hex'))")`,
  )

const environmentSchema = z.object({
  PORT: integer(0, 65_535).default(3001),
  HOST: z.string().default('127.0.0.1'),
  LOG_LEVEL: oneOf(LOG_LEVELS).default('info'),
  CHAT_REPLICA: z.string().optional(),
  CHAT_WORKERS: integer(1, 64).default(1),
  CHAT_READY_WAIT_MS: integer(0, 600_000).default(5_000),
  CHAT_LAMEDUCK_MS: integer(0, 600_000).default(5_000),
  CHAT_DRAIN_MS: integer(0, 3_600_000).default(30_000),
  CHAT_DATABASE: z.string().default('data/chat.db'),
  CHAT_REDIS_URL: redisUrl.optional(),
  CHAT_DATABASE_POOL_SIZE: integer(1, 1_000).default(DEFAULT_LIMITS.poolSize),
  CHAT_DATABASE_TIMEOUT_MS: integer(100, 60_000).default(DEFAULT_LIMITS.timeoutMs),
  CHAT_RETENTION_DAYS: integer(0, 36_500).default(0),
  CHAT_MAX_STREAMS: integer(1, 1_000_000).default(10_000),
  CHAT_ON_DISCONNECT: oneOf(ON_DISCONNECT).default('cancel'),
  CHAT_RECONNECT_GRACE_MS: integer(0, 600_000).default(10_000),
  CHAT_RATE_LIMIT_PER_MINUTE: integer(0, 1_000_000).default(0),
  CHAT_HISTORY_BUDGET: integer(0, 10_000_000).default(32_000),
  CHAT_CORS_ORIGINS: origins.default([]),
  CHAT_OPENAI_MODELS: models.optional(),
  CHAT_OPERATOR_ROLE: oneOf(['admin', 'owner']).default('admin'),
  CHAT_EXECUTION_MODE: oneOf(EXECUTION_MODES).default('direct_llm'),
  CHAT_RUNTIME_ENABLED_ORGS: list.default([]),
  CHAT_RUNTIME_SHADOW_PERCENT: integer(0, 100).default(0),
  CHAT_SHADOW_AA_PERCENT: integer(0, 100).default(10),
  CHAT_SHADOW_MAX_CONCURRENT: integer(1, 1000).default(32),
  CHAT_SHADOW_REQUIRE_FENCE: flag.default(false),
  CHAT_SHADOW_KEEP_CONTENT: flag.default(false),
  CHAT_SHADOW_CONTENT_DAYS: integer(1, 90).default(7),
  CHAT_RUNTIME_TIMEOUT_THRESHOLD_MS: integer(1, 86_400_000).default(300_000),
  CHAT_RUNTIME_ERROR_RATE_THRESHOLD: z
    .string()
    .regex(/^\d*\.?\d+$/, 'must be a number from 0 to 1')
    .transform(Number)
    .refine((value) => value <= 1, 'must be a number from 0 to 1')
    .default(0.5),
  RUNTIME_SERVICE_URL: httpUrl.default('http://localhost:8000'),
  CHAT_DEMO: flag.default(false),
  CHAT_FILE_ORIGINS: origins.default([]),
  CHAT_CONSOLE_OIDC_ISSUER: secureUrl.optional(),
  CHAT_CONSOLE_OIDC_CLIENT_ID: z.string().trim().optional(),
  CHAT_CONSOLE_OIDC_SCOPE: oidcScope.default('openid'),
  LLM_BASE_URL: httpUrl.optional(),
  LLM_API_KEY: headerValue.optional(),
  LLM_MODEL: z.string().default('gpt-4o-mini'),
  CHAT_LLM_FILE: z.string().optional(),
  JWT_SECRET: secret.optional(),
  JWKS_URL: httpUrl.optional(),
  JWT_ISSUER: z.string().optional(),
  JWT_AUDIENCE: z.string().optional(),
  FLAGD_RESOLVER: oneOf(RESOLVERS).default('file'),
  FLAGD_HOST: z.string().default('localhost'),
  FLAGD_PORT: integer(1, 65_535).optional(),
  FLAGD_TLS: flag.default(false),
  CHAT_FLAGS_FILE: z.string().default('flags/chat.flagd.json'),
  CHAT_FALLBACK_FLAGS_FILE: z.string().default('flags/auto-fallback.flagd.json'),
  CHAT_FLAG_STORE: z.string().default('file:'),
  CHAT_FLAG_STORE_OPS: flag.default(false),
  CHAT_FLAG_SOURCE_PORT: integer(1, 65_535).optional(),
  CHAT_NOTIFY_URL: httpUrl.optional(),
  CHAT_NOTIFY_FORMAT: oneOf(NOTIFY_FORMATS).default('json'),
  CHAT_NOTIFY_SECRET: z.string().trim().optional(),
})

type Environment = z.infer<typeof environmentSchema>

/** flagd's own ports: sync for `in-process`, evaluation for `rpc`. */
const FLAGD_PORTS = { file: 8015, 'in-process': 8015, rpc: 8013 } as const

/**
 * Parses the environment, with the secrets of the files that `*_FILE` variables name. An empty variable counts as not set.
 * @throws ConfigError naming every missing or wrong variable
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const secrets = withSecretFiles(env)
  const given = Object.fromEntries(
    Object.entries(secrets.env).filter(([, value]) => value !== undefined && value.trim() !== ''),
  )
  const parsed = environmentSchema.safeParse(given)
  const llm = directLlm(given)
  const tracing = readTracingSettings(given)
  const faults = [
    ...secrets.faults,
    ...(parsed.success ? [] : parsed.error.issues.map((issue) => describeIssue(issue, given))),
    ...llm.faults,
    ...keyFaults(given, env),
    ...oidcFaults(given),
    ...(parsed.success ? workerFaults(parsed.data) : []),
    ...(parsed.success ? flagStoreFaults(parsed.data, given) : []),
    ...(parsed.success ? databaseFaults(parsed.data) : []),
    ...tracing.faults,
  ]
  if (!parsed.success || llm.endpoints === undefined || faults.length > 0) throw new ConfigError(faults)
  const config = toConfig(parsed.data, llm.endpoints, given)
  return tracing.settings === undefined ? config : { ...config, tracing: tracing.settings }
}

const SECRETS: ReadonlySet<string> = new Set(SECRET_VARIABLES)

function describeIssue(issue: z.core.$ZodIssue, given: Record<string, string | undefined>): string {
  const name = String(issue.path[0])
  const value = given[name]
  if (value === undefined) return `${name} is not set`
  if (SECRETS.has(name))
    return `${given[`${name}_FILE`] === undefined ? name : `The content of ${name}_FILE`} ${issue.message}`
  // An address may carry a password: it is for nobody's log.
  return `${name}=${value.replace(/\/\/[^/?#]*@/, '//…@')} ${issue.message}`
}

/** Workers share conversations and the journal through the file. */
function workerFaults({ CHAT_WORKERS: workers, CHAT_DATABASE: database }: Environment): string[] {
  if (workers === 1 || database !== ':memory:') return []
  return [`CHAT_WORKERS=${workers} needs a file as CHAT_DATABASE: memory is not shared between processes`]
}

/** @param env before the files of secrets were read: a file that cannot be read is a fault of its own */
function databaseFaults({ CHAT_DATABASE: database }: Environment): string[] {
  if (!isPostgresUrl(database)) return []
  try {
    postgresAddress(database)
    return []
  } catch (thrown) {
    return [`CHAT_DATABASE ${errorText(thrown)}`]
  }
}

function keyFaults(
  given: Readonly<Record<string, string | undefined>>,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  if (given.JWT_SECRET === undefined && env.JWT_SECRET_FILE?.trim()) return []
  const secretSet = given.JWT_SECRET !== undefined
  const jwksSet = given.JWKS_URL !== undefined
  if (secretSet && jwksSet)
    return ['JWT_SECRET and JWKS_URL are both set; tokens are verified by one of them']
  if (!secretSet && !jwksSet) return ['JWT_SECRET or JWKS_URL must be set, to verify tokens']
  return []
}

function oidcFaults({
  CHAT_CONSOLE_OIDC_ISSUER: issuer,
  CHAT_CONSOLE_OIDC_CLIENT_ID: clientId,
}: Record<string, string | undefined>): string[] {
  if ((issuer === undefined) === (clientId === undefined)) return []
  return [
    'CHAT_CONSOLE_OIDC_ISSUER and CHAT_CONSOLE_OIDC_CLIENT_ID must both be set, or neither: the console signs in with both',
  ]
}

interface DirectLlm {
  /** absent where there is none, or a wrong one */
  readonly endpoints?: LlmEndpoints
  readonly faults: readonly string[]
}

/** One endpoint from the environment, or those of a file. A fault of a single variable is told elsewhere. */
function directLlm(given: Record<string, string | undefined>): DirectLlm {
  const file = given.CHAT_LLM_FILE
  if (file !== undefined && given.LLM_BASE_URL !== undefined)
    return { faults: ['LLM_BASE_URL and CHAT_LLM_FILE are both set; the direct LLM comes from one of them'] }
  if (file !== undefined) return endpointsOf(file, given)
  const own = environmentSchema
    .pick({ LLM_BASE_URL: true, LLM_API_KEY: true, LLM_MODEL: true })
    .safeParse(given)
  if (!own.success) return { faults: [] }
  const { LLM_BASE_URL: baseUrl, LLM_API_KEY: key, LLM_MODEL: model } = own.data
  if (baseUrl === undefined) return { faults: ['LLM_BASE_URL is not set'] }
  const auth: Partial<LlmEndpoint> = key === undefined ? {} : { auth: { kind: 'bearer', key } }
  return { endpoints: [llmEndpoint({ baseUrl, model, ...auth })], faults: [] }
}

function endpointsOf(file: string, env: Record<string, string | undefined>): DirectLlm {
  const loaded = loadEndpoints(file, env)
  switch (loaded.kind) {
    case 'endpoints':
      return { endpoints: loaded.endpoints, faults: [] }
    case 'unreadable':
      return { faults: [`CHAT_LLM_FILE=${file} cannot be read: ${loaded.why}`] }
    case 'faults':
      return {
        faults: loaded.faults.map(
          ({ line, path, message }) =>
            `CHAT_LLM_FILE=${file}: line ${line}: ${path === '' ? '' : `${path}: `}${message}`,
        ),
      }
  }
}

type Given = Readonly<Record<string, string | undefined>>

const flagStoreOf = ({ CHAT_FLAG_STORE: store, CHAT_DATABASE: database }: Environment, given: Given) =>
  parseFlagStore(store, { database, kubernetesHost: given.KUBERNETES_SERVICE_HOST })

function flagStoreFaults(env: Environment, given: Given): string[] {
  const parsed = flagStoreOf(env, given)
  if (parsed.kind === 'fault') return [`CHAT_FLAG_STORE ${parsed.fault}`]
  if (parsed.choice.kind !== 'file' || !env.CHAT_FLAG_STORE_OPS) return []
  return [
    'CHAT_FLAG_STORE_OPS=true needs a CHAT_FLAG_STORE of postgres: or kubernetes:; with file: the flags of the operators are in CHAT_FLAGS_FILE',
  ]
}

/** Nothing for files: a configuration without a store says nothing of one. */
function flagStore(env: Environment, given: Given): Pick<Config['flags'], 'store' | 'opsInStore'> {
  const parsed = flagStoreOf(env, given)
  if (parsed.kind === 'fault' || parsed.choice.kind === 'file') return {}
  return { store: parsed.choice, opsInStore: env.CHAT_FLAG_STORE_OPS }
}

function toConfig(env: Environment, llm: LlmEndpoints, given: Given): Config {
  return {
    port: env.PORT,
    host: env.HOST,
    logLevel: env.LOG_LEVEL,
    replica: env.CHAT_REPLICA ?? `${hostname()}-${process.pid}`,
    workers: env.CHAT_WORKERS,
    readyWaitMs: env.CHAT_READY_WAIT_MS,
    lameduckMs: env.CHAT_LAMEDUCK_MS,
    drainMs: env.CHAT_DRAIN_MS,
    database: env.CHAT_DATABASE,
    ...(env.CHAT_REDIS_URL === undefined ? {} : { redis: env.CHAT_REDIS_URL }),
    databaseLimits: { poolSize: env.CHAT_DATABASE_POOL_SIZE, timeoutMs: env.CHAT_DATABASE_TIMEOUT_MS },
    retentionDays: env.CHAT_RETENTION_DAYS,
    maxStreams: env.CHAT_MAX_STREAMS,
    onDisconnect: env.CHAT_ON_DISCONNECT,
    reconnectGraceMs: env.CHAT_RECONNECT_GRACE_MS,
    turnsPerMinute: env.CHAT_RATE_LIMIT_PER_MINUTE,
    historyBudget: env.CHAT_HISTORY_BUDGET,
    corsOrigins: env.CHAT_CORS_ORIGINS,
    openai: { models: env.CHAT_OPENAI_MODELS ?? [{ id: llm[0].model, agentId: llm[0].model }] },
    auth: {
      keys: tokenKeys(env),
      ...(env.JWT_ISSUER === undefined ? {} : { issuer: env.JWT_ISSUER }),
      ...(env.JWT_AUDIENCE === undefined ? {} : { audience: env.JWT_AUDIENCE }),
      operatorRole: env.CHAT_OPERATOR_ROLE,
    },
    flags: {
      resolver: env.FLAGD_RESOLVER,
      opsFile: env.CHAT_FLAGS_FILE,
      overrideFile: env.CHAT_FALLBACK_FLAGS_FILE,
      flagd: {
        host: env.FLAGD_HOST,
        port: env.FLAGD_PORT ?? FLAGD_PORTS[env.FLAGD_RESOLVER],
        tls: env.FLAGD_TLS,
      },
      ...flagStore(env, given),
      ...(env.CHAT_FLAG_SOURCE_PORT === undefined ? {} : { sourcePort: env.CHAT_FLAG_SOURCE_PORT }),
    },
    codeDefaults: {
      mode: env.CHAT_EXECUTION_MODE,
      enabledOrgs: env.CHAT_RUNTIME_ENABLED_ORGS,
      shadowPercent: env.CHAT_RUNTIME_SHADOW_PERCENT,
      totalMs: env.CHAT_RUNTIME_TIMEOUT_THRESHOLD_MS,
      errorRate: env.CHAT_RUNTIME_ERROR_RATE_THRESHOLD,
    },
    runtime: { url: withoutTrailingSlash(env.RUNTIME_SERVICE_URL), fileOrigins: env.CHAT_FILE_ORIGINS },
    demo: env.CHAT_DEMO,
    ...consoleOidc(env),
    llm,
    shadow: {
      aaPercent: env.CHAT_SHADOW_AA_PERCENT,
      maxConcurrent: env.CHAT_SHADOW_MAX_CONCURRENT,
      requireFence: env.CHAT_SHADOW_REQUIRE_FENCE,
      keepContent: env.CHAT_SHADOW_KEEP_CONTENT,
      contentDays: env.CHAT_SHADOW_CONTENT_DAYS,
    },
    ...(env.CHAT_NOTIFY_URL === undefined ? {} : { notify: notification(env, env.CHAT_NOTIFY_URL) }),
  }
}

function notification(env: Environment, url: string): NonNullable<Config['notify']> {
  return {
    url,
    format: env.CHAT_NOTIFY_FORMAT,
    ...(env.CHAT_NOTIFY_SECRET === undefined ? {} : { secret: env.CHAT_NOTIFY_SECRET }),
  }
}

function consoleOidc(env: Environment): Pick<Config, 'consoleOidc'> {
  const {
    CHAT_CONSOLE_OIDC_ISSUER: issuer,
    CHAT_CONSOLE_OIDC_CLIENT_ID: clientId,
    CHAT_CONSOLE_OIDC_SCOPE: scope,
  } = env
  return issuer === undefined || clientId === undefined ? {} : { consoleOidc: { issuer, clientId, scope } }
}

function tokenKeys(env: Environment): TokenKeys {
  if (env.JWT_SECRET !== undefined) return { kind: 'secret', secret: env.JWT_SECRET }
  if (env.JWKS_URL !== undefined) return { kind: 'jwks', url: new URL(env.JWKS_URL) }
  throw new ConfigError(['JWT_SECRET or JWKS_URL must be set, to verify tokens'])
}
