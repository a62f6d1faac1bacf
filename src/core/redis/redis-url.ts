import type { Bilingual } from '../bilingual.js'

/** Where Redis (or Valkey) is, as `CHAT_REDIS_URL` says it. */
export interface RedisAddress {
  /** one server, a master that Sentinels name, or a Cluster */
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly tls: boolean
  /** the server; the Sentinels; some nodes of the Cluster */
  readonly nodes: readonly RedisNode[]
  readonly username?: string
  readonly password?: string
  /** 0 in a Cluster */
  readonly database: number
  /** what the Sentinels call the master */
  readonly master?: string
  /** begins every key and channel, so that deployments can share a server */
  readonly prefix: string
}

export interface RedisNode {
  readonly host: string
  readonly port: number
}

export const REDIS_URL_FORM: Bilingual = {
  en: 'must be redis://host:port, rediss:// for TLS, redis+sentinel://host:port,host:port/master, or redis+cluster://host:port,host:port',
  'zh-CN':
    '必须是 redis://host:port、rediss://（TLS）、redis+sentinel://host:port,host:port/master 或 redis+cluster://host:port,host:port',
}

const FORM =
  /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/?]*)@)?([^@/?]+)(?:\/([^/?]*))?(?:\/([^/?]*))?(?:\?prefix=([\w.-]{1,64}))?$/
const NODE = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i
const PORTS = { single: 6379, sentinel: 26_379, cluster: 6379 } as const
const DEFAULT_PREFIX = 'chat'

/** Undefined for what is none of the forms. Pure. */
export function parseRedisUrl(url: string): RedisAddress | undefined {
  const [, scheme, topology, login, hosts = '', first = '', second = '', prefix] = FORM.exec(url) ?? []
  if (scheme === undefined) return undefined
  const kind = topology === 'sentinel' || topology === 'cluster' ? topology : 'single'
  const nodes = hosts.split(',').map((host) => nodeOf(host, PORTS[kind]))
  const place = placeOf(kind, first, second)
  const credentials = credentialsOf(login)
  if (place === undefined || credentials === undefined || !nodes.every((node) => node !== undefined))
    return undefined
  if (kind === 'single' && nodes.length > 1) return undefined
  return {
    kind,
    tls: scheme === 'rediss',
    nodes,
    ...credentials,
    ...place,
    prefix: prefix ?? DEFAULT_PREFIX,
  }
}

function nodeOf(text: string, defaultPort: number): RedisNode | undefined {
  const [, host, port] = NODE.exec(text.trim()) ?? []
  if (host === undefined) return undefined
  const number = port === undefined ? defaultPort : Number(port)
  return number >= 1 && number <= 65_535 ? { host: host.replace(/^\[|\]$/g, ''), port: number } : undefined
}

function placeOf(
  kind: RedisAddress['kind'],
  first: string,
  second: string,
): Pick<RedisAddress, 'database' | 'master'> | undefined {
  if (kind === 'sentinel') {
    const database = databaseOf(second)
    return first === '' || database === undefined ? undefined : { master: decoded(first) ?? first, database }
  }
  if (second !== '' || (kind === 'cluster' && first !== '')) return undefined
  const database = databaseOf(first)
  return database === undefined ? undefined : { database }
}

const databaseOf = (text: string): number | undefined =>
  text === '' ? 0 : /^\d{1,4}$/.test(text) ? Number(text) : undefined

function credentialsOf(login: string | undefined): Pick<RedisAddress, 'username' | 'password'> | undefined {
  if (login === undefined || login === '') return {}
  const colon = login.indexOf(':')
  const username = decoded(colon < 0 ? login : login.slice(0, colon))
  const password = decoded(colon < 0 ? '' : login.slice(colon + 1))
  if (username === undefined || password === undefined) return undefined
  return {
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
