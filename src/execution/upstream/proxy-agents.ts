import type http from 'node:http'
import { HttpsProxyAgent } from 'https-proxy-agent'
import { getProxyForUrl } from 'proxy-from-env'

export interface ProxyAgent {
  readonly agent: http.Agent
  readonly protocol: 'http' | 'https'
}

/**
 * Agents for the proxies of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`), one a proxy, made when first
 * needed. Always a tunnel (`CONNECT`), also to plain HTTP: so a kept connection is one to the server itself.
 */
export class ProxyAgents {
  readonly #agents = new Map<string, http.Agent>()

  constructor(private readonly options: http.AgentOptions) {}

  /** @throws TypeError where the environment names something that is no address */
  for(url: string): ProxyAgent | undefined {
    const { hostname, protocol } = new URL(url)
    if (isLoopback(hostname)) return undefined
    const proxy = getProxyForUrl(url)
    if (proxy === '') return undefined
    let agent = this.#agents.get(proxy)
    if (agent === undefined) {
      agent = new HttpsProxyAgent(proxy, this.options)
      this.#agents.set(proxy, agent)
    }
    return { agent, protocol: protocol === 'https:' ? 'https' : 'http' }
  }

  destroy(): void {
    for (const agent of this.#agents.values()) agent.destroy()
    this.#agents.clear()
  }
}

/** Never by way of a proxy: there it would mean the proxy's own machine. */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  return /^127(?:\.\d+){3}$/.test(hostname) || hostname === '[::1]' || hostname.startsWith('[::ffff:7f')
}
