import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { featureFlagFaults, isObject, leaseFault } from './kubernetes-schema.js'

/** An object as the stand-in keeps it. */
export interface StoredObject {
  apiVersion?: string
  kind?: string
  metadata: {
    name: string
    namespace?: string
    uid?: string
    generation?: number
    resourceVersion: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    managedFields?: unknown[]
  }
  spec?: Record<string, unknown>
}

interface Change {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly key: string
  readonly object: StoredObject
}

interface Watcher {
  readonly response: ServerResponse
  readonly collection: string
  readonly name: string | undefined
  readonly bookmarks: boolean
  /** the version after which it is told changes */
  readonly from: number
}

/** A request as it came. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly authorization: string | undefined
}

/**
 * A stand-in for the API server of Kubernetes, of the two kinds that the flag store uses. One version counts up over all
 * objects; a PUT replaces exactly the version that it names (409 otherwise), a POST makes what is not there (409 otherwise);
 * a watch goes on from a version, with bookmarks where asked for, and is told 410 where that version was compacted. Of a FeatureFlag the
 * schema drops what it does not know and refuses what it does not allow.
 */
export interface KubernetesStandIn {
  readonly url: string
  readonly requests: readonly SeenRequest[]
  get(collection: string, name: string): StoredObject | undefined
  /** as `kubectl edit` or `kubectl apply` */
  edit(collection: string, name: string, change: (object: StoredObject) => void): void
  delete(collection: string, name: string): void
  /** Forgets which changes led to the present versions: older watches get 410. */
  compact(): void
  /** Sends a bookmark to each watch that wants them. */
  bookmark(): void
  /** The call that brings the present objects and versions back, as etcd from a backup; watches go on, or end as `endWatches` says. */
  backup(): () => void
  /** Ends all watches, as the server does after their time; `rudely`: breaks their connections. */
  endWatches(rudely?: boolean): void
  /** Answers every request with this status and message until it is undefined. */
  refuse(status: number | undefined, message?: string): void
  /** Answers nothing until it is false. */
  hang(on: boolean): void
  /** The schema of an older operator, which drops metadata of flags. */
  dropMetadata(on: boolean): void
  /** Whether the definition of FeatureFlag is there. */
  define(on: boolean): void
  readonly watches: number
  close(): Promise<void>
}

export const FEATURE_FLAGS = '/apis/core.openfeature.dev/v1beta1/namespaces/chat/featureflags'
export const LEASES = '/apis/coordination.k8s.io/v1/namespaces/chat/leases'
const COLLECTIONS = [FEATURE_FLAGS, LEASES]
/** the only namespace that is there */
const NAMESPACE = 'chat'
const OTHER_NAMESPACE = /\/namespaces\/([^/]+)\//

const isLeases = (key: string): boolean => key.startsWith(LEASES)
/** as messages name them */
const pluralOf = (key: string): string =>
  isLeases(key) ? 'leases.coordination.k8s.io' : 'featureflags.core.openfeature.dev'
const typeOf = (key: string) =>
  isLeases(key)
    ? { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }
    : { apiVersion: 'core.openfeature.dev/v1beta1', kind: 'FeatureFlag' }
const nameIn = (key: string): string => key.slice(key.lastIndexOf('/') + 1)

export async function startKubernetes(): Promise<KubernetesStandIn> {
  const state = new ApiState()
  const server = createServer((request, response) => {
    state
      .answer(request, response)
      .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}`,
    async close() {
      state.endWatches(true)
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}

class ApiState {
  readonly requests: SeenRequest[] = []
  readonly #objects = new Map<string, StoredObject>()
  readonly #watchers = new Set<Watcher>()
  #changes: Change[] = []
  #version = 100
  #compacted = 100
  #refusal: { readonly status: number; readonly message: string } | undefined
  #isHanging = false
  #dropsMetadata = false
  #isDefined = true
  #uid = 0

  get watches(): number {
    return this.#watchers.size
  }

  get(collection: string, name: string): StoredObject | undefined {
    return this.#objects.get(`${collection}/${name}`)
  }

  edit(collection: string, name: string, change: (object: StoredObject) => void): void {
    const key = `${collection}/${name}`
    const present = this.#objects.get(key)
    const next = structuredClone(present ?? { metadata: { name, resourceVersion: '' } })
    change(next)
    const fault = this.#keep(key, next, present)
    if (fault !== undefined) throw new Error(fault)
  }

  delete(collection: string, name: string): void {
    const key = `${collection}/${name}`
    const present = this.#objects.get(key)
    if (present === undefined) return
    this.#objects.delete(key)
    this.#version += 1
    const last = structuredClone(present)
    last.metadata.resourceVersion = String(this.#version)
    this.#tell({ version: this.#version, type: 'DELETED', key, object: last })
  }

  compact(): void {
    // Some other object changes all the time.
    this.#version += 10
    this.#compacted = this.#version
    this.#changes = []
  }

  bookmark(): void {
    for (const watcher of this.#watchers) {
      if (!watcher.bookmarks) continue
      const { collection } = watcher
      const metadata = { resourceVersion: String(this.#version) }
      const object = { ...typeOf(collection), metadata, ...(isLeases(collection) ? { spec: {} } : {}) }
      send(watcher.response, { type: 'BOOKMARK', object })
    }
  }

  backup(): () => void {
    const [objects, version] = [structuredClone([...this.#objects]), this.#version]
    return () => {
      this.#objects.clear()
      for (const [key, object] of objects) this.#objects.set(key, object)
      this.#version = version
      this.#compacted = version
      this.#changes = []
    }
  }

  endWatches(rudely = false): void {
    for (const { response } of this.#watchers) {
      if (rudely) response.destroy()
      else response.end()
    }
    this.#watchers.clear()
  }

  refuse(status: number | undefined, message = 'as the test wants it'): void {
    this.#refusal = status === undefined ? undefined : { status, message }
  }

  hang(on: boolean): void {
    this.#isHanging = on
  }

  dropMetadata(on: boolean): void {
    this.#dropsMetadata = on
  }

  define(on: boolean): void {
    this.#isDefined = on
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? '/', 'http://api.test')
    const { method = 'GET' } = request
    this.requests.push({
      method,
      path: url.pathname,
      query: url.searchParams,
      authorization: request.headers.authorization,
    })
    const body = await bodyOf(request)
    if (this.#isHanging) return
    if (this.#refusal !== undefined)
      return refuse(response, this.#refusal.status, 'Refused', this.#refusal.message)
    const path = url.pathname.replace(OTHER_NAMESPACE, `/namespaces/${NAMESPACE}/`)
    const collection = COLLECTIONS.find((each) => path === each || path.startsWith(`${each}/`))
    if (collection === undefined || !(this.#isDefined || collection === LEASES))
      return response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n')
    const namespace = OTHER_NAMESPACE.exec(url.pathname)?.[1] ?? ''
    if (path === collection)
      return this.#onCollection(method, { collection, namespace, query: url.searchParams }, body, response)
    return this.#onObject(method, path, namespace === NAMESPACE, body, response)
  }

  #onCollection(
    method: string,
    asked: { readonly collection: string; readonly namespace: string; readonly query: URLSearchParams },
    body: string,
    response: ServerResponse,
  ): unknown {
    const { collection, namespace, query } = asked
    if (method === 'POST') return this.#create(collection, namespace, JSON.parse(body), response)
    const name = /^metadata\.name=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1]
    if (query.get('watch') === '1') return this.#watch(collection, name, query, response)
    const items = [...this.#objects]
      .filter(([key]) => namespace === NAMESPACE && isOf(key, collection, name))
      .map(([, object]) => object)
    const { apiVersion, kind } = typeOf(collection)
    const metadata = { resourceVersion: String(this.#version) }
    return json(response, 200, { apiVersion, kind: `${kind}List`, metadata, items })
  }

  #create(collection: string, namespace: string, object: StoredObject, response: ServerResponse): unknown {
    const key = `${collection}/${object.metadata.name}`
    if (namespace !== NAMESPACE)
      return refuse(response, 404, 'NotFound', `namespaces "${namespace}" not found`)
    if ((object.metadata.resourceVersion ?? '') !== '')
      return refuse(response, 500, undefined, 'resourceVersion should not be set on objects to be created')
    if (this.#objects.has(key))
      return refuse(response, 409, 'AlreadyExists', `${pluralOf(key)} "${nameIn(key)}" already exists`)
    return this.#write(response, 201, key, object, undefined)
  }

  #onObject(method: string, key: string, isThere: boolean, body: string, response: ServerResponse): unknown {
    const present = isThere ? this.#objects.get(key) : undefined
    const what = `${pluralOf(key)} "${nameIn(key)}"`
    if (method === 'PUT') return this.#replace(key, JSON.parse(body), present, response)
    if (present === undefined)
      return refuse(response, 404, 'NotFound', `${what} not found`, { name: nameIn(key) })
    if (method === 'GET') return json(response, 200, present)
    return refuse(response, 405, 'MethodNotAllowed', method)
  }

  #replace(
    key: string,
    object: StoredObject,
    present: StoredObject | undefined,
    response: ServerResponse,
  ): unknown {
    const what = `${pluralOf(key)} "${nameIn(key)}"`
    const { resourceVersion: version = '', uid } = object.metadata
    const modified = `Operation cannot be fulfilled on ${what}: `
    // A PUT may create a Lease, but none of another uid.
    if (present === undefined && !isLeases(key)) return refuse(response, 404, 'NotFound', `${what} not found`)
    if (uid !== undefined && uid !== present?.metadata.uid)
      return refuse(response, 409, 'Conflict', `${modified}StorageError: invalid object`)
    if (version === '')
      return refuse(
        response,
        422,
        'Invalid',
        `${what} is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`,
      )
    if (present !== undefined && version !== present.metadata.resourceVersion)
      return refuse(
        response,
        409,
        'Conflict',
        `${modified}the object has been modified; please apply your changes to the latest version and try again`,
      )
    return this.#write(response, present === undefined ? 201 : 200, key, object, present)
  }

  #write(
    response: ServerResponse,
    status: number,
    key: string,
    object: StoredObject,
    present: StoredObject | undefined,
  ): unknown {
    const notALease = isLeases(key) ? leaseFault(object) : undefined
    if (notALease !== undefined) return refuse(response, 400, 'BadRequest', notALease)
    const fault = this.#keep(key, object, present)
    if (fault === undefined) return json(response, status, this.#objects.get(key))
    const what = isLeases(key) ? 'Lease.coordination.k8s.io' : 'FeatureFlag.core.openfeature.dev'
    return refuse(response, 422, 'Invalid', `${what} "${nameIn(key)}" is invalid: ${fault}`)
  }

  /** Undefined, or why the schema refuses it. */
  #keep(key: string, object: StoredObject, present: StoredObject | undefined): string | undefined {
    const size = Buffer.byteLength(JSON.stringify(object.metadata.annotations ?? {}))
    if (size > 256 * 1024) return 'metadata.annotations: Too long: may not be more than 262144 bytes'
    const kept = structuredClone(object)
    const faults = isLeases(key) ? [] : featureFlagFaults(kept, this.#dropsMetadata)
    if (faults.length > 0) return faults.length === 1 ? faults[0] : `[${faults.join(', ')}]`
    const { resourceVersion: _before, ...metadata } = kept.metadata
    const generation = (present?.metadata.generation ?? 0) + (isSameSpec(present, kept) ? 0 : 1)
    this.#uid += 1
    const uid = present?.metadata.uid ?? `uid-${this.#uid}`
    // Nothing changed: the server writes nothing.
    const unchanged = present !== undefined && isSame(present, kept)
    if (unchanged) return undefined
    this.#version += 1
    const resourceVersion = String(this.#version)
    const counted = isLeases(key) ? {} : { generation }
    const stored = {
      ...typeOf(key),
      ...kept,
      metadata: { ...metadata, namespace: NAMESPACE, uid, ...counted, resourceVersion },
    }
    this.#objects.set(key, sortedKeys(stored))
    const type = present === undefined ? 'ADDED' : 'MODIFIED'
    this.#tell({ version: this.#version, type, key, object: sortedKeys(stored) })
    return undefined
  }

  #watch(
    collection: string,
    name: string | undefined,
    query: URLSearchParams,
    response: ServerResponse,
  ): unknown {
    const from = Number(query.get('resourceVersion'))
    response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' })
    response.flushHeaders()
    if (from < this.#compacted) {
      // As etcd's compaction is told: in the stream, with 200 before it.
      send(response, {
        type: 'ERROR',
        object: {
          kind: 'Status',
          status: 'Failure',
          reason: 'Expired',
          code: 410,
          message: `too old resource version: ${from} (${this.#compacted})`,
        },
      })
      return response.end()
    }
    const bookmarks = query.get('allowWatchBookmarks') === 'true'
    const watcher = { response, collection, name, bookmarks, from }
    for (const change of this.#changes) tellOf(change, watcher)
    this.#watchers.add(watcher)
    return response.once('close', () => this.#watchers.delete(watcher))
  }

  #tell(change: Change): void {
    this.#changes.push(change)
    for (const watcher of this.#watchers) tellOf(change, watcher)
  }
}

function tellOf({ version, type, key, object }: Change, watcher: Watcher): void {
  const { response, collection, name, from } = watcher
  if (version > from && isOf(key, collection, name)) send(response, { type, object })
}

const isOf = (key: string, collection: string, name: string | undefined): boolean =>
  name === undefined ? key.startsWith(`${collection}/`) : key === `${collection}/${name}`

const isSameSpec = (one: StoredObject | undefined, other: StoredObject): boolean =>
  JSON.stringify(sortedKeys(one?.spec ?? null)) === JSON.stringify(sortedKeys(other.spec ?? null))
const isSame = (one: StoredObject, other: StoredObject): boolean =>
  isSameSpec(one, other) &&
  JSON.stringify(sortedKeys(one.metadata.annotations ?? {})) ===
    JSON.stringify(sortedKeys(other.metadata.annotations ?? {})) &&
  JSON.stringify(sortedKeys(one.metadata.labels ?? {})) ===
    JSON.stringify(sortedKeys(other.metadata.labels ?? {}))

/** As Go writes maps. */
function sortedKeys<T>(value: T): T {
  if (Array.isArray(value)) return value.map(sortedKeys) as T
  if (!isObject(value)) return value
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([key, item]) => [key, sortedKeys(item)])) as T
}

const send = (response: ServerResponse, event: object): void =>
  void response.write(`${JSON.stringify(event)}\n`)

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

const refuse = (
  response: ServerResponse,
  code: number,
  reason: string | undefined,
  message: string,
  details: { readonly name?: string } = {},
): void => json(response, code, { kind: 'Status', status: 'Failure', code, reason, message, details })

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
