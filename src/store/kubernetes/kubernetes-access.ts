import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Where the API server is, and who asks. */
export interface KubernetesAccess {
  /** without a trailing slash */
  readonly server: string
  /** asked before the first call; @throws where nobody says */
  namespace(): Promise<string>
  /** Asked for each request: kubelet writes another token into the file about every hour. Undefined: none is sent. */
  token(): Promise<string | undefined>
  /** certificates that the server's is checked against; undefined: those of the system */
  authority(): Promise<string | undefined>
}

/** what kubelet mounts into each pod */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

export interface AccessSettings {
  readonly namespace?: string
  /** absent: the cluster of this pod */
  readonly server?: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** for tests */
  readonly directory?: string
}

/** The service account of this pod, or a server that needs none (`kubectl proxy`). */
export function kubernetesAccess(settings: AccessSettings): KubernetesAccess {
  const { namespace, server, env, directory = SERVICE_ACCOUNT } = settings
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = env
  const own = server === undefined
  const mounted = async (name: string): Promise<string> => readFile(join(directory, name), 'utf8')
  return {
    server: server ?? `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: async () => namespace ?? (await mounted('namespace')).trim(),
    // A token of the pod is for the API server of its cluster alone.
    token: async () => (own ? (await mounted('token')).trim() : undefined),
    authority: async () => (own ? mounted('ca.crt') : undefined),
  }
}
