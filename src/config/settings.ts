import type { LogLevel } from '../core/logger.js'
import type { PostgresLimits } from '../core/postgres/postgres-limits.js'
import type { RedisAddress } from '../core/redis/redis-url.js'
import type { TracingSettings } from '../core/tracing/tracing-settings.js'
import type { LlmEndpoints } from '../llm/endpoint.js'
import type { ExecutionMode } from '../protocol/modes.js'
import type { NotifyFormat } from '../protocol/notification.js'
import type { FlagStoreChoice } from '../store/flag-store-choice.js'

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
    /** CHAT_PROVIDER_MODULE as given, and where it is: its OpenFeature provider has the operators' flags; absent: none */
    readonly providerModule?: { readonly name: string; readonly url: string }
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
  /** what the access token is to be for (RFC 8707); absent: the issuer decides */
  readonly resource?: string
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
