import { type Bilingual, saidBy } from '../core/bilingual.js'
import { isPostgresUrl, postgresAddress } from '../core/postgres/postgres-url.js'

/** Where the override is, as CHAT_FLAG_STORE says. */
export type FlagStoreChoice =
  | { readonly kind: 'file' }
  /** `url` may carry a password */
  | { readonly kind: 'postgres'; readonly url: string }
  /** absent: those of the pod's service account */
  | { readonly kind: 'kubernetes'; readonly namespace?: string; readonly server?: string }

/** What else decides which store it is. */
export interface ChoiceContext {
  /** CHAT_DATABASE */
  readonly database: string
  /** KUBERNETES_SERVICE_HOST: what each pod has */
  readonly kubernetesHost: string | undefined
}

export type ChoiceResult =
  | { readonly kind: 'choice'; readonly choice: FlagStoreChoice }
  /** ready to print after the variable's name; carries no password */
  | { readonly kind: 'fault'; readonly fault: Bilingual }

const WHAT: Bilingual = {
  en: 'must be file:, postgres: (the server of CHAT_DATABASE), postgres://user@host/database, kubernetes: or kubernetes:NAMESPACE',
  'zh-CN':
    '必须是 file:、postgres:（CHAT_DATABASE 的服务器）、postgres://user@host/database、kubernetes: 或 kubernetes:NAMESPACE',
}
/** a DNS label, as the names of namespaces are */
const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/

/** Reads what an `sslrootcert` of a URL names, to know that it is there. */
export function parseFlagStore(value: string, context: ChoiceContext): ChoiceResult {
  if (value === 'file:') return chosen({ kind: 'file' })
  if (value === 'postgres:' || value === 'postgresql:') return ofDatabase(context)
  if (isPostgresUrl(value)) return postgres(value)
  if (value.startsWith('kubernetes:')) return kubernetes(value.slice('kubernetes:'.length), context)
  return { kind: 'fault', fault: WHAT }
}

const chosen = (choice: FlagStoreChoice): ChoiceResult => ({ kind: 'choice', choice })
const fault = (en: string, zh: string): ChoiceResult => ({ kind: 'fault', fault: { en, 'zh-CN': zh } })

function ofDatabase({ database }: ChoiceContext): ChoiceResult {
  if (isPostgresUrl(database)) return postgres(database)
  return fault(
    'takes the server of CHAT_DATABASE, which names no PostgreSQL; write postgres://user@host/database, or set CHAT_DATABASE',
    '使用 CHAT_DATABASE 的服务器，但它不是 PostgreSQL；请写成 postgres://user@host/database，或设置 CHAT_DATABASE',
  )
}

function postgres(url: string): ChoiceResult {
  if (!URL.canParse(url) || new URL(url).pathname.length < 2)
    return fault(
      'must be a URL with a database, like postgres://user@host:5432/chat',
      '必须是含数据库名的 URL，如 postgres://user@host:5432/chat',
    )
  try {
    postgresAddress(url)
  } catch (thrown) {
    return { kind: 'fault', fault: saidBy(thrown) }
  }
  return chosen({ kind: 'postgres', url })
}

function kubernetes(rest: string, { kubernetesHost }: ChoiceContext): ChoiceResult {
  const [namespace = '', query] = rest.split('?', 2)
  const server = query === undefined ? undefined : (new URLSearchParams(query).get('server') ?? '')
  if (namespace !== '' && !NAMESPACE.test(namespace))
    return fault(
      'must end in the name of a namespace, like kubernetes:chat',
      '必须以命名空间名称结尾，如 kubernetes:chat',
    )
  if (server !== undefined && !isServer(server))
    return fault(
      'must have the URL of the API server after ?server=, like http://127.0.0.1:8001',
      '?server= 之后必须是 API 服务器的 URL，如 http://127.0.0.1:8001',
    )
  if (server === undefined && kubernetesHost === undefined)
    return fault(
      'needs the service account of a pod (KUBERNETES_SERVICE_HOST is not set); outside of a cluster write kubernetes:NAMESPACE?server=http://127.0.0.1:8001 for kubectl proxy',
      '需要 Pod 的服务账号（未设置 KUBERNETES_SERVICE_HOST）；在集群外请配合 kubectl proxy 写成 kubernetes:NAMESPACE?server=http://127.0.0.1:8001',
    )
  if (server !== undefined && namespace === '')
    return fault(
      'must name the namespace beside ?server=, like kubernetes:chat?server=…',
      '使用 ?server= 时必须同时给出命名空间，如 kubernetes:chat?server=…',
    )
  return chosen({
    kind: 'kubernetes',
    ...(namespace === '' ? {} : { namespace }),
    ...(server === undefined ? {} : { server: server.replace(/\/+$/, '') }),
  })
}

const isServer = (value: string): boolean => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
