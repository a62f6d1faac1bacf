import { hostname } from 'node:os'
import type { LlmEndpoints } from '../llm/endpoint.js'
import { ConfigError } from './config-error.js'
import type { Environment, Given } from './environment.js'
import { NO_KEYS } from './faults.js'
import { flagStore } from './flag-store.js'
import { providerModule } from './provider-module.js'
import type { Config, TokenKeys } from './settings.js'

/** flagd's own ports: sync for `in-process`, evaluation for `rpc`. */
const FLAGD_PORTS = { file: 8015, 'in-process': 8015, rpc: 8013 } as const

export function toConfig(env: Environment, llm: LlmEndpoints, given: Given): Config {
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
      ...providerModule(env),
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
    CHAT_CONSOLE_OIDC_RESOURCE: resource,
  } = env
  if (issuer === undefined || clientId === undefined) return {}
  return { consoleOidc: { issuer, clientId, scope, ...(resource === undefined ? {} : { resource }) } }
}

function tokenKeys(env: Environment): TokenKeys {
  if (env.JWT_SECRET !== undefined) return { kind: 'secret', secret: env.JWT_SECRET }
  if (env.JWKS_URL !== undefined) return { kind: 'jwks', url: new URL(env.JWKS_URL) }
  throw new ConfigError([NO_KEYS])
}

const withoutTrailingSlash = (url: string): string => url.replace(/\/+$/, '')
