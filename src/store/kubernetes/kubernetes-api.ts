import http from 'node:http'
import https from 'node:https'
import got from 'got'
import { z } from 'zod'
import { parsedJson } from '../../core/json/parsed-json.js'
import type { KubernetesAccess } from './kubernetes-access.js'

/** A kind of objects in a namespace, by the path of its API. */
export interface Resource {
  /** `apis/GROUP/VERSION` */
  readonly api: string
  /** `GROUP/VERSION`, as objects name it */
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
}

/** What every object has; the rest of it is passed through. */
export const objectSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string().optional(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.record(z.string(), z.unknown()).optional(),
})
export type KubernetesObject = z.infer<typeof objectSchema>

const listSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  items: z.array(objectSchema),
})
const statusSchema = z.looseObject({
  message: z.string().optional(),
  reason: z.string().optional(),
  code: z.number().optional(),
  details: z.looseObject({ name: z.string().optional() }).optional(),
})
const eventSchema = z.object({
  type: z.enum(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR']),
  object: z.unknown(),
})

/** What the server answers in place of what was asked for. */
export class KubernetesRefused extends Error {
  override readonly name = 'KubernetesRefused'

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** the object that the answer is about; undefined where it is about a kind, or the server does not say */
    readonly object?: string,
  ) {
    super(message)
  }
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubernetesObject
}

/** ms: within the deadline of a call of the store */
const REQUEST_MS = 1_800
/** how long one watch lasts: the server ends it, and we do where it does not */
const WATCH_SECONDS = 240
const WATCH_GRACE_MS = 10_000
/** of one event; an object is 1.5 MiB at most */
const MAX_LINE = 8 * 1024 * 1024

/** The few calls that the store needs, with `got`: no retries, each one bounded. */
export class KubernetesApi {
  readonly #agent = { http: new http.Agent({ keepAlive: true }), https: new https.Agent({ keepAlive: true }) }
  readonly #watchAgent = { http: new http.Agent(), https: new https.Agent() }

  constructor(private readonly access: KubernetesAccess) {}

  /** Undefined where there is none. @throws KubernetesRefused (404: there is no such kind), the system's errors */
  async get(resource: Resource, name: string): Promise<KubernetesObject | undefined> {
    try {
      return objectSchema.parse(await this.#call('GET', await this.#path(resource, name)))
    } catch (thrown) {
      // Without its definition the kind is unknown: that tells nothing of the object.
      if (thrown instanceof KubernetesRefused && thrown.status === 404 && thrown.object === name)
        return undefined
      throw thrown
    }
  }

  /** @throws KubernetesRefused 409 where one is there */
  async create(resource: Resource, object: object): Promise<KubernetesObject> {
    return objectSchema.parse(await this.#call('POST', await this.#path(resource), object))
  }

  /** In place of exactly the version that `object` names. @throws KubernetesRefused 409 where it is another, 404 where none is there */
  async replace(resource: Resource, name: string, object: object): Promise<KubernetesObject> {
    return objectSchema.parse(await this.#call('PUT', await this.#path(resource, name), object))
  }

  /** The object of this name with the version from which a watch goes on. */
  async list(
    resource: Resource,
    name: string,
  ): Promise<{ readonly object: KubernetesObject | undefined; readonly resourceVersion: string }> {
    const path = `${await this.#path(resource)}?${named(name)}`
    const { items, metadata } = listSchema.parse(await this.#call('GET', path))
    return { object: items[0], resourceVersion: metadata.resourceVersion }
  }

  /**
   * Tells each event of the object of this name until the server ends the watch.
   * @throws KubernetesRefused (410: the version is too old), the system's errors, the signal's reason
   */
  async watch(
    resource: Resource,
    name: string,
    from: string,
    signal: AbortSignal,
    onEvent: (event: WatchEvent) => void,
  ): Promise<void> {
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${encodeURIComponent(from)}&timeoutSeconds=${WATCH_SECONDS}`
    const path = `${await this.#path(resource)}?${named(name)}&${query}`
    const stream = got.stream(`${this.access.server}/${path}`, {
      ...(await this.#options()),
      agent: this.#watchAgent,
      signal,
      timeout: { connect: REQUEST_MS, response: REQUEST_MS, request: WATCH_SECONDS * 1000 + WATCH_GRACE_MS },
    })
    const response = new Promise<number>((resolve, reject) => {
      stream.once('response', ({ statusCode }: { statusCode: number }) => resolve(statusCode))
      stream.once('error', reject)
    })
    // Told by the loop below as well.
    response.catch(() => undefined)
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length > MAX_LINE) throw new Error('an event of a watch is too large')
      const status = await response
      if (status !== 200) continue
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) if (line.trim() !== '') onEvent(eventOf(line))
    }
    const status = await response
    if (status !== 200) throw refusal(status, text)
  }

  close(): void {
    for (const agents of [this.#agent, this.#watchAgent]) {
      agents.http.destroy()
      agents.https.destroy()
    }
  }

  async #path({ api, plural }: Resource, name?: string): Promise<string> {
    const namespace = await this.access.namespace()
    const path = `${api}/namespaces/${encodeURIComponent(namespace)}/${plural}`
    return name === undefined ? path : `${path}/${encodeURIComponent(name)}`
  }

  async #call(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<unknown> {
    const { statusCode, body: text } = await got(`${this.access.server}/${path}`, {
      ...(await this.#options()),
      method,
      agent: this.#agent,
      timeout: { request: REQUEST_MS },
      ...(body === undefined ? {} : { json: body }),
    })
    if (statusCode >= 200 && statusCode < 300) return JSON.parse(text)
    throw refusal(statusCode, text)
  }

  async #options() {
    const [token, authority] = await Promise.all([this.access.token(), this.access.authority()])
    return {
      headers: {
        accept: 'application/json',
        'user-agent': 'chat-cutover',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(authority === undefined ? {} : { https: { certificateAuthority: authority } }),
      retry: { limit: 0 },
      throwHttpErrors: false,
      followRedirect: false,
    }
  }
}

const named = (name: string): string => `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`

function eventOf(line: string): WatchEvent {
  const { type, object } = eventSchema.parse(JSON.parse(line))
  if (type !== 'ERROR') return { type, object: objectSchema.parse(object) }
  const { code = 500 } = statusSchema.parse(object)
  throw refusal(code, JSON.stringify(object))
}

function refusal(status: number, text: string): KubernetesRefused {
  const parsed = statusSchema.safeParse(parsedJson(text))
  const answer = parsed.success ? parsed.data : {}
  const { reason = String(status), message = 'no reason is given', details } = answer
  return new KubernetesRefused(status, reason, message.slice(0, 300), details?.name)
}
