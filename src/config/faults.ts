import type { z } from 'zod'
import { errorText } from '../core/errors.js'
import { SECRET_VARIABLES } from '../core/files/secret-files.js'
import { isPostgresUrl, postgresAddress } from '../core/postgres/postgres-url.js'
import type { Environment, Given } from './environment.js'

const SECRETS: ReadonlySet<string> = new Set(SECRET_VARIABLES)

export function describeIssue(issue: z.core.$ZodIssue, given: Given): string {
  const name = String(issue.path[0])
  const value = given[name]
  if (value === undefined) return `${name} is not set`
  if (SECRETS.has(name))
    return `${given[`${name}_FILE`] === undefined ? name : `The content of ${name}_FILE`} ${issue.message}`
  // An address may carry a password: it is for nobody's log.
  return `${name}=${value.replace(/\/\/[^/?#]*@/, '//…@')} ${issue.message}`
}

/** Workers share conversations and the journal through the file. */
export function workerFaults({ CHAT_WORKERS: workers, CHAT_DATABASE: database }: Environment): string[] {
  if (workers === 1 || database !== ':memory:') return []
  return [`CHAT_WORKERS=${workers} needs a file as CHAT_DATABASE: memory is not shared between processes`]
}

export function databaseFaults({ CHAT_DATABASE: database }: Environment): string[] {
  // A URL of another kind, or one with a slip, is no path: a folder would get its name, and its password with it.
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(database) && !/^(postgres(ql)?|file):/i.test(database))
    return [
      'CHAT_DATABASE must be the path of a file, :memory:, or postgres://user:password@host:5432/database',
    ]
  if (!isPostgresUrl(database)) return []
  try {
    postgresAddress(database)
    return []
  } catch (thrown) {
    return [`CHAT_DATABASE ${errorText(thrown)}`]
  }
}

/** @param env before the files of secrets were read: a file that cannot be read is a fault of its own */
export function keyFaults(given: Given, env: Given): string[] {
  if (given.JWT_SECRET === undefined && env.JWT_SECRET_FILE?.trim()) return []
  const secretSet = given.JWT_SECRET !== undefined
  const jwksSet = given.JWKS_URL !== undefined
  if (secretSet && jwksSet)
    return ['JWT_SECRET and JWKS_URL are both set; tokens are verified by one of them']
  if (!secretSet && !jwksSet) return ['JWT_SECRET or JWKS_URL must be set, to verify tokens']
  return []
}

export function oidcFaults({
  CHAT_CONSOLE_OIDC_ISSUER: issuer,
  CHAT_CONSOLE_OIDC_CLIENT_ID: clientId,
}: Given): string[] {
  if ((issuer === undefined) === (clientId === undefined)) return []
  return [
    'CHAT_CONSOLE_OIDC_ISSUER and CHAT_CONSOLE_OIDC_CLIENT_ID must both be set, or neither: the console signs in with both',
  ]
}
