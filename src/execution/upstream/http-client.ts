import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import got, { type Got, type InitHook, type NativeRequestOptions, Options, type Request } from 'got'
import type { Clock, Timer } from '../../core/clock.js'
import { scheduleRunning } from '../../core/deadline.js'
import { errorCode } from '../../core/errors.js'
import { TransportError, type TransportFault } from '../transport-error.js'
import { detachResponse, onOwnEndListeners } from './detach-response.js'
import { type ProxyAgent, ProxyAgents } from './proxy-agents.js'
import { sameOriginTarget } from './redirect.js'
import { UpstreamResponse } from './upstream-response.js'

export interface PostRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON text; absent: a GET */
  readonly body?: string
  readonly signal: AbortSignal
  /** ms for DNS, TCP and TLS */
  readonly connectMs: number
  /** ms from the connection to the response head */
  readonly headersMs: number
  onConnected?(): void
}

export interface HttpClient {
  /** A POST, or a GET without a body. Resolves with the response head, whatever its status; rejects with a `TransportError`. */
  post(request: PostRequest): Promise<UpstreamResponse>
  /** Closes every connection, those in use too. */
  close(): void
}

// Below the 5 s after which uvicorn closes an idle connection, so that we seldom meet it closing.
const IDLE_SOCKET_MS = 4000

export interface HttpClientOptions {
  /**
   * To servers that are not ours to set up: by way of the environment's proxy, and where one redirects with 307 or 308
   * within its own origin, once along.
   */
  readonly outward?: boolean
  /**
   * Sends a request once more, on a fresh connection, where the server reset a kept one before it answered. Only for
   * requests that may be executed twice: a reset does not tell whether the server had read the first. Default false.
   */
  readonly resend?: boolean
}

/**
 * A client with connections of its own. No retries unless `resend`, no decompression; neither redirects nor proxies unless
 * `outward`.
 */
export function createHttpClient(
  clock: Clock,
  { outward = false, resend = false }: HttpClientOptions = {},
): HttpClient {
  const agents = {
    http: new http.Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
    https: new https.Agent({ keepAlive: true, timeout: IDLE_SOCKET_MS }),
  }
  const client = got.extend({
    agent: agents,
    retry: { limit: 0 },
    throwHttpErrors: false,
    followRedirect: false,
    decompress: false,
    hooks: { init: [withNativeOptions] },
    headers: { 'user-agent': 'chat-cutover', 'accept-encoding': 'identity' },
  })
  const single = { http: new http.Agent(), https: new https.Agent() }
  const fresh = client.extend({ agent: single })
  const proxies = new ProxyAgents({ keepAlive: true, timeout: IDLE_SOCKET_MS })
  const singleProxies = new ProxyAgents({})

  async function post(request: PostRequest): Promise<UpstreamResponse> {
    try {
      return await new Attempt(through(client, proxies, request.url), clock, request).response
    } catch (error) {
      if (!resend || !(error instanceof ReusedSocketClosed)) throw error
      return await new Attempt(through(fresh, singleProxies, request.url), clock, request).response
    }
  }

  function through(direct: Got, by: ProxyAgents, url: string): Got {
    const proxy = outward ? proxyFor(by, url) : undefined
    return proxy === undefined ? direct : direct.extend({ agent: { [proxy.protocol]: proxy.agent } })
  }

  return {
    async post(request) {
      const response = await post(request)
      if (!outward) return response
      const target = sameOriginTarget(response.status, response.location, request.url)
      if (target === undefined) return response
      response.release()
      return await post({ ...request, url: target })
    },
    close() {
      for (const agent of [agents.http, agents.https, single.http, single.https]) agent.destroy()
      proxies.destroy()
      singleProxies.destroy()
    },
  }
}

function proxyFor(proxies: ProxyAgents, url: string): ProxyAgent | undefined {
  try {
    return proxies.for(url)
  } catch (error) {
    throw new TransportError('unreachable', false, { cause: error })
  }
}

/**
 * The native options that a client here sets; whoever sets another one adds it. got names three dozen and leaves most undefined: V8 gives
 * each such object a form of its own, 23 KiB a request that lives long enough to leave holes in the old heap, and the agent keeps a copy
 * with each connection.
 */
function nativeOptions(this: Options): NativeRequestOptions {
  const { agent, headers, method, setHost, url } = this
  const isSecure = url instanceof URL && url.protocol === 'https:'
  return { agent: isSecure ? agent.https : agent.http, headers, method, setHost }
}

/** By `Reflect`: the types want all of got's own. */
const withNativeOptions: InitHook = (_given, options) => {
  Reflect.set(options, 'createNativeRequestOptions', nativeOptions)
}

/** got takes the options to begin with as its third parameter, which its types leave out. */
type GotWithOptions = (url: undefined, given: object, options: Options) => Request

/** addresses of one client that are prepared: more than it has endpoints */
const MOST_PREPARED = 100
const prepared = new WeakMap<Got, Map<string, Options>>()

/** A POST whose address is parsed, and whose unchanging options are merged, once an address: a tenth of what a request costs got. */
function preparedPost(client: Got, url: string, body: string, headers: PostRequest['headers']): Request {
  const options = prepared.get(client)?.get(url) ?? prepare(client, url)
  return (client as unknown as GotWithOptions)(undefined, { body, headers }, options)
}

function prepare(client: Got, url: string): Options {
  const headers = { 'content-type': 'application/json' }
  const options = new Options(url, { method: 'POST', isStream: true, headers }, client.defaults.options)
  const known = prepared.get(client)
  if (known === undefined) prepared.set(client, new Map([[url, options]]))
  else if (known.size < MOST_PREPARED) known.set(url, options)
  return options
}

/** The server closed a kept connection before it answered. It may have read the request, or not. */
class ReusedSocketClosed extends TransportError {}

/** One request on one connection, up to the response head. */
class Attempt {
  readonly response: Promise<UpstreamResponse>
  /** got's until the response head, then Node's own */
  #request: Request | http.ClientRequest | undefined
  #ownEndListeners: readonly unknown[] = []
  #timer: Timer | undefined
  #connected = false
  #settled = false
  #resolve: (response: UpstreamResponse) => void = () => {}
  #reject: (error: TransportError) => void = () => {}
  #opened: UpstreamResponse | undefined
  readonly #signal: AbortSignal
  /** Let go with the response head: a body may be long, and a stream stays open for minutes. */
  #options: PostRequest | undefined

  constructor(
    client: Got,
    private readonly clock: Clock,
    options: PostRequest,
  ) {
    this.#signal = options.signal
    this.#options = options
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    if (options.signal.aborted) {
      this.#fail('aborted')
      return
    }
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#wait('connect_timeout', options.connectMs)
    const request = this.#made(client, options)
    if (request === undefined) return
    this.#request = request
    // Stays for good: got may raise an error after the response was consumed or destroyed.
    request.on('error', this.#onError)
    request.once('socket', this.#onSocket)
    request.once('request', this.#onRequest)
    request.once('response', this.#onResponse)
  }

  /** Undefined for an address that got refuses; the attempt has failed as `unreachable` then. */
  #made(client: Got, { url, body, headers }: PostRequest): Request | undefined {
    try {
      return body === undefined
        ? client.stream.get(url, { headers })
        : preparedPost(client, url, body, headers)
    } catch (error) {
      this.#fail('unreachable', error instanceof Error ? error : undefined)
      return undefined
    }
  }

  readonly #onRequest = (request: http.ClientRequest): void =>
    onOwnEndListeners(request, (listeners) => (this.#ownEndListeners = listeners))

  readonly #onSocket = (socket: Socket): void => {
    // The agent's is for connections nobody uses; in use it would be set again with each read. It comes back with the next idleness.
    socket.setTimeout(0)
    if (!socket.connecting) this.#onConnected()
    else {
      const isSecure = this.#options?.url.startsWith('https:') === true
      socket.once(isSecure ? 'secureConnect' : 'connect', this.#onConnected)
    }
  }

  readonly #onConnected = (): void => {
    const options = this.#options
    if (this.#settled || this.#connected || options === undefined) return
    this.#connected = true
    this.#wait('headers_timeout', options.headersMs)
    options.onConnected?.()
  }

  readonly #onResponse = (response: http.IncomingMessage): void => {
    if (this.#settled) return
    this.#settled = true
    this.#letGo()
    this.#request = detachResponse(response, this.#ownEndListeners)
    this.#ownEndListeners = []
    this.#opened = new UpstreamResponse(response, this.clock, this.#close)
    this.#resolve(this.#opened)
  }

  readonly #onError = (error: Error): void => {
    if (this.#settled) return
    const code = errorCode(error) ?? ''
    const closed = code === 'ECONNRESET' || code === 'EPIPE'
    if (closed && this.#request?.reusedSocket === true) {
      this.#settle(new ReusedSocketClosed('unreachable', this.#connected, { cause: error }))
    } else this.#fail(code.startsWith('HPE_') ? 'malformed' : 'unreachable', error)
  }

  readonly #onAbort = (): void => {
    if (this.#opened === undefined) this.#fail('aborted')
    else this.#opened.destroy()
  }

  readonly #close = (): void => {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#request?.destroy()
  }

  #wait(fault: TransportFault, ms: number): void {
    this.#timer?.cancel()
    this.#timer = scheduleRunning(this.clock, ms, () => this.#fail(fault))
  }

  #fail(fault: TransportFault, cause?: Error): void {
    if (!this.#settled) this.#settle(new TransportError(fault, this.#connected, { cause }))
  }

  /** Nothing more is sent or waited for. */
  #letGo(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#options = undefined
  }

  #settle(error: TransportError): void {
    this.#settled = true
    this.#letGo()
    this.#close()
    this.#reject(error)
  }
}
