import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import { EngineMissing, engine } from './engines.js'
import { FEATURE_FLAGS, LEASES, type StoredObject } from './kubernetes-api.js'

const START_MS = 20_000
const NAMES = ['chat-cutover-fallback', 'chat-cutover-flags', 'chat-cutover-rollout']
/** times that an edit starts again because somebody else was faster */
const TRIES = 20

export interface KubectlRun {
  readonly stdout: string
  readonly stderr: string
  /** null where it was killed: it has a minute */
  readonly status: number | null
}

/** The real API server of KUBECONFIG, with a namespace of its own. Collections are named as those of the stand-in. */
export interface Cluster {
  readonly url: string
  readonly namespace: string
  get(collection: string, name: string): Promise<StoredObject | undefined>
  /** as `kubectl edit` or `kubectl apply` */
  edit(collection: string, name: string, change: (object: StoredObject) => void): Promise<void>
  delete(collection: string, name: string): Promise<void>
  /** Deletes all objects that the store makes. */
  clear(): Promise<void>
  /** in its namespace */
  kubectl(...args: string[]): KubectlRun
}

/** For one `describe`, which skips itself without KUBECONFIG. A cluster is seldom at hand: CHAT_REQUIRE_ENGINES asks for none. */
export function kubernetesCluster(): () => Cluster {
  before(function () {
    if ((process.env.KUBECONFIG ?? '') !== '') return
    console.log('      skipped: no Kubernetes (set KUBECONFIG; kubectl must be on the PATH)')
    this.skip()
  })
  const started = engine(
    async () => {
      const namespace = `chat-cutover-test-${randomBytes(4).toString('hex')}`
      const proxy = await startProxy()
      kubectl('create', 'namespace', namespace)
      return { proxy, cluster: clusterAt(proxy.url, namespace) }
    },
    async ({ proxy, cluster }) => {
      await cluster.clear()
      kubectl('delete', 'namespace', cluster.namespace, '--wait=false')
      proxy.process.kill()
    },
  )
  return () => started().cluster
}

const run = (args: readonly string[]): KubectlRun =>
  spawnSync('kubectl', args, { encoding: 'utf8', timeout: 60_000 })
const kubectl = (...args: string[]): boolean => run(args).status === 0

async function startProxy(): Promise<{ readonly process: ChildProcess; readonly url: string }> {
  if (!kubectl('get', 'crd', 'featureflags.core.openfeature.dev'))
    throw new EngineMissing('the cluster of KUBECONFIG has no FeatureFlag definition, or there is no kubectl')
  const child = spawn('kubectl', ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const port = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('kubectl proxy does not start')), START_MS)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /127\.0\.0\.1:(\d+)/.exec(line)?.[1]
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
  })
  return { process: child, url: `http://127.0.0.1:${port}` }
}

const objectSchema: z.ZodType<StoredObject> = z.looseObject({
  metadata: z.looseObject({ name: z.string(), resourceVersion: z.string() }),
})

function clusterAt(url: string, namespace: string): Cluster {
  const pathOf = (collection: string) =>
    `${url}${collection.replace('/namespaces/chat/', `/namespaces/${namespace}/`)}`
  const call = async (method: string, path: string, body?: object): Promise<Response> =>
    fetch(path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(START_MS),
    })
  const get = async (collection: string, name: string): Promise<StoredObject | undefined> => {
    const response = await call('GET', `${pathOf(collection)}/${name}`)
    const answer: unknown = await response.json()
    if (response.status === 404) return undefined
    if (!response.ok) throw new Error(JSON.stringify(answer))
    return objectSchema.parse(answer)
  }
  const remove = async (collection: string, name: string): Promise<void> => {
    const response = await call('DELETE', `${pathOf(collection)}/${name}`)
    const answer = await response.text()
    if (!response.ok && response.status !== 404) throw new Error(answer)
  }
  return {
    url,
    namespace,
    get,
    delete: remove,
    kubectl: (...args) => run(['-n', namespace, ...args]),
    async edit(collection, name, change) {
      for (let attempt = 1; ; attempt += 1) {
        const present = await get(collection, name)
        const kind = collection === LEASES ? 'Lease' : 'FeatureFlag'
        const apiVersion = collection === LEASES ? 'coordination.k8s.io/v1' : 'core.openfeature.dev/v1beta1'
        const object = present ?? { apiVersion, kind, metadata: { name, resourceVersion: '' } }
        change(object)
        const response =
          present === undefined
            ? await call('POST', pathOf(collection), object)
            : await call('PUT', `${pathOf(collection)}/${name}`, object)
        const answer = await response.text()
        if (response.ok) return
        if (response.status !== 409 || attempt > TRIES) throw new Error(answer)
      }
    },
    async clear() {
      for (const collection of [FEATURE_FLAGS, LEASES])
        await Promise.all(NAMES.map((name) => remove(collection, name)))
    },
  }
}
