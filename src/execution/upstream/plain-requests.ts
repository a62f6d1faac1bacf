import http from 'node:http'
import https from 'node:https'
import { urlToHttpOptions } from 'node:url'

/** addresses that are prepared: more than a client has */
const MOST_PREPARED = 100

interface Prepared {
  readonly request: typeof http.request
  readonly options: http.RequestOptions
}

/** Requests made by Node itself, on kept connections: no retries, redirects, proxies or decompression. */
export class PlainRequests {
  readonly #prepared = new Map<string, Prepared>()

  /** @param headers of every request */
  constructor(
    private readonly agents: { readonly http: http.Agent; readonly https: https.Agent },
    private readonly headers: Readonly<Record<string, string>>,
  ) {}

  /**
   * A POST of JSON text, or a GET without a body; sent when the connection stands.
   * @throws TypeError for an address that cannot be asked
   */
  begin({
    url,
    headers,
    body,
  }: {
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
    readonly body?: string
  }): http.ClientRequest {
    const { request, options } = this.#prepared.get(url) ?? this.#prepare(url)
    const isPost = body !== undefined
    const call = request({
      ...options,
      method: isPost ? 'POST' : 'GET',
      headers: { ...this.headers, ...(isPost ? { 'content-type': 'application/json' } : {}), ...headers },
    })
    // With its length: Node knows it where the body comes with the end.
    call.end(body)
    return call
  }

  #prepare(url: string): Prepared {
    const { protocol, hostname, port, path, auth } = urlToHttpOptions(new URL(url))
    const isSecure = protocol === 'https:'
    const address = { protocol, hostname, port, path, ...(auth === undefined ? {} : { auth }) }
    const options = { ...address, agent: isSecure ? this.agents.https : this.agents.http }
    const prepared = { request: isSecure ? https.request : http.request, options }
    if (this.#prepared.size < MOST_PREPARED) this.#prepared.set(url, prepared)
    return prepared
  }
}
