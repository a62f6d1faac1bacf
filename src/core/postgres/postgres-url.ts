import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { BilingualError } from '../bilingual.js'
import { errorText } from '../errors.js'

/** Where the database is, and how the way there is secured. */
export interface PostgresAddress {
  /** the URL without what is said of TLS; holds the password */
  readonly url: string
  /** undefined: no TLS */
  readonly tls: ConnectionOptions | undefined
}

const SSL_MODES = ['disable', 'require', 'verify-ca', 'verify-full'] as const
type SslMode = (typeof SSL_MODES)[number]
const SSL_FILES = ['sslrootcert', 'sslcert', 'sslkey'] as const

export const isPostgresUrl = (database: string): boolean => /^postgres(ql)?:\/\//i.test(database)

/** The URL as it may be shown: without user, password and parameters. */
export function shownUrl(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url)
    return `postgres://${hostname}${port === '' ? '' : `:${port}`}${pathname}`
  } catch {
    return 'postgres://…'
  }
}

/**
 * `sslmode` as libpq knows it: `disable` (default), `require` (encrypted; with `sslrootcert` as `verify-ca`), `verify-ca`, `verify-full`.
 * `allow` and `prefer` are refused, for they promise nothing. `sslrootcert`, `sslcert` and `sslkey` name files.
 * @throws BilingualError in words for the operator, without the password
 */
export function postgresAddress(given: string): PostgresAddress {
  const url = parsed(given)
  // The driver would go to this machine.
  if (url.hostname === '' && !url.searchParams.has('host'))
    throw new BilingualError({
      en: 'names no host: postgres://user:password@host:5432/database',
      'zh-CN': '没有主机名：postgres://user:password@host:5432/database',
    })
  const mode = sslMode(url.searchParams.get('sslmode') ?? 'disable')
  const [ca, cert, key] = SSL_FILES.map((name) => fileOf(url, name))
  for (const name of ['sslmode', ...SSL_FILES]) url.searchParams.delete(name)
  if (mode === 'disable') return { url: url.href, tls: undefined }
  const verifies = mode !== 'require' || ca !== undefined
  return {
    url: url.href,
    tls: {
      rejectUnauthorized: verifies,
      ...(mode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  }
}

function parsed(given: string): URL {
  try {
    return new URL(given)
  } catch {
    throw new BilingualError({
      en: 'is not a URL like postgres://user:password@host:5432/database',
      'zh-CN': '不是形如 postgres://user:password@host:5432/database 的 URL',
    })
  }
}

function sslMode(given: string): SslMode {
  const mode = SSL_MODES.find((one) => one === given)
  if (mode === undefined)
    throw new BilingualError({
      en: `has sslmode=${given}: use one of ${SSL_MODES.join(', ')}`,
      'zh-CN': `的 sslmode=${given} 无效，可用：${SSL_MODES.join(', ')}`,
    })
  return mode
}

function fileOf(url: URL, name: string): string | undefined {
  const path = url.searchParams.get(name)
  if (path === null) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch (thrown) {
    throw new BilingualError({
      en: `has ${name}=${path}, which cannot be read: ${errorText(thrown)}`,
      'zh-CN': `的 ${name}=${path} 无法读取：${errorText(thrown)}`,
    })
  }
}
