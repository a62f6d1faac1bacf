import { z } from 'zod'
import { rule } from '../core/bilingual.js'
import { LOG_LEVELS } from '../core/logger.js'
import { DEFAULT_LIMITS } from '../core/postgres/postgres-limits.js'
import { EXECUTION_MODES } from '../protocol/modes.js'
import { NOTIFY_FORMATS } from '../protocol/notification.js'
import { ON_DISCONNECT, RESOLVERS } from './settings.js'
import {
  flag,
  headerValue,
  httpUrl,
  integer,
  list,
  models,
  oidcResource,
  oidcScope,
  oneOf,
  origins,
  redisUrl,
  secret,
  secureUrl,
} from './variable-forms.js'

/** The variables that are set, before they are parsed; those of secrets with the content of their files. */
export type Given = Readonly<Record<string, string | undefined>>

const A_SHARE = rule('must be a number from 0 to 1', '必须是 0 到 1 的数字')

/** Every variable, its form and its default. */
export const environmentSchema = z.object({
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
    .refine((value) => /^\d*\.?\d+$/.test(value), A_SHARE)
    .transform(Number)
    .refine((value) => value <= 1, A_SHARE)
    .default(0.5),
  RUNTIME_SERVICE_URL: httpUrl.default('http://localhost:8000'),
  CHAT_DEMO: flag.default(false),
  CHAT_FILE_ORIGINS: origins.default([]),
  CHAT_CONSOLE_OIDC_ISSUER: secureUrl.optional(),
  CHAT_CONSOLE_OIDC_CLIENT_ID: z.string().trim().optional(),
  CHAT_CONSOLE_OIDC_SCOPE: oidcScope.default('openid'),
  CHAT_CONSOLE_OIDC_RESOURCE: oidcResource.optional(),
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
  CHAT_PROVIDER_MODULE: z.string().trim().optional(),
  CHAT_FLAG_SOURCE_PORT: integer(1, 65_535).optional(),
  CHAT_NOTIFY_URL: httpUrl.optional(),
  CHAT_NOTIFY_FORMAT: oneOf(NOTIFY_FORMATS).default('json'),
  CHAT_NOTIFY_SECRET: z.string().trim().optional(),
})

export type Environment = z.infer<typeof environmentSchema>
