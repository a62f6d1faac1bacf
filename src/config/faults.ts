import type { z } from 'zod'
import { type Bilingual, saidBy } from '../core/bilingual.js'
import { SECRET_VARIABLES } from '../core/files/secret-files.js'
import { schemaFault } from '../core/json/schema-fault.js'
import { shownAddress } from '../core/net/login-of-url.js'
import { isPostgresUrl, postgresAddress } from '../core/postgres/postgres-url.js'
import type { Environment, Given } from './environment.js'

const SECRETS: ReadonlySet<string> = new Set(SECRET_VARIABLES)

export function describeIssue(issue: z.core.$ZodIssue, given: Given): Bilingual {
  const name = String(issue.path[0])
  const value = given[name]
  const fault = faultOf(issue)
  if (value === undefined) return { en: `${name} is not set`, 'zh-CN': `${name} 未设置` }
  if (SECRETS.has(name))
    return given[`${name}_FILE`] === undefined
      ? behind(name, fault)
      : { en: `The content of ${name}_FILE ${fault.en}`, 'zh-CN': `${name}_FILE 的文件内容${fault['zh-CN']}` }
  // No address at all: a key, perhaps, where two variables were mixed up.
  if (name.endsWith('_URL') && !/^[a-z][a-z\d+.-]*:\/\/|@/i.test(value)) return behind(name, fault)
  return behind(`${name}=${shownAddress(value)}`, fault)
}

/** The forms of variables say by themselves what the value must be; choices are named as they are written. */
function faultOf(issue: z.core.$ZodIssue): Bilingual {
  if (issue.code === 'invalid_value')
    return { en: issue.message, 'zh-CN': `必须是以下值之一：${issue.values.join(', ')}` }
  return schemaFault(issue)
}

/** What is wrong, behind the name of the variable. */
export const behind = (name: string, fault: Bilingual): Bilingual => ({
  en: `${name} ${fault.en}`,
  'zh-CN': `${name} ${fault['zh-CN']}`,
})

/** Workers share conversations and the journal through the file. */
export function workerFaults({ CHAT_WORKERS: workers, CHAT_DATABASE: database }: Environment): Bilingual[] {
  if (workers === 1 || database !== ':memory:') return []
  return [
    {
      en: `CHAT_WORKERS=${workers} needs a file as CHAT_DATABASE: memory is not shared between processes`,
      'zh-CN': `CHAT_WORKERS=${workers} 要求 CHAT_DATABASE 为文件：进程之间不共享内存`,
    },
  ]
}

export function databaseFaults({ CHAT_DATABASE: database }: Environment): Bilingual[] {
  // A URL of another kind, or one with a slip, is no path: a folder would get its name, and its password with it.
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(database) && !/^(postgres(ql)?|file):/i.test(database))
    return [
      {
        en: 'CHAT_DATABASE must be the path of a file, :memory:, or postgres://user:password@host:5432/database',
        'zh-CN': 'CHAT_DATABASE 必须是文件路径、:memory: 或 postgres://user:password@host:5432/database',
      },
    ]
  if (!isPostgresUrl(database)) return []
  try {
    postgresAddress(database)
    return []
  } catch (thrown) {
    return [behind('CHAT_DATABASE', saidBy(thrown))]
  }
}

export const NO_KEYS: Bilingual = {
  en: 'JWT_SECRET or JWKS_URL must be set, to verify tokens',
  'zh-CN': '必须设置 JWT_SECRET 或 JWKS_URL，用于验证令牌',
}

/** @param env before the files of secrets were read: a file that cannot be read is a fault of its own */
export function keyFaults(given: Given, env: Given): Bilingual[] {
  if (given.JWT_SECRET === undefined && env.JWT_SECRET_FILE?.trim()) return []
  const secretSet = given.JWT_SECRET !== undefined
  const jwksSet = given.JWKS_URL !== undefined
  if (secretSet && jwksSet)
    return [
      {
        en: 'JWT_SECRET and JWKS_URL are both set; tokens are verified by one of them',
        'zh-CN': '同时设置了 JWT_SECRET 与 JWKS_URL；令牌只能由其中之一验证',
      },
    ]
  return secretSet || jwksSet ? [] : [NO_KEYS]
}

export function oidcFaults({
  CHAT_CONSOLE_OIDC_ISSUER: issuer,
  CHAT_CONSOLE_OIDC_CLIENT_ID: clientId,
}: Given): Bilingual[] {
  if ((issuer === undefined) === (clientId === undefined)) return []
  return [
    {
      en: 'CHAT_CONSOLE_OIDC_ISSUER and CHAT_CONSOLE_OIDC_CLIENT_ID must both be set, or neither: the console signs in with both',
      'zh-CN':
        'CHAT_CONSOLE_OIDC_ISSUER 与 CHAT_CONSOLE_OIDC_CLIENT_ID 必须同时设置或都不设置：控制台登录需要两者',
    },
  ]
}
