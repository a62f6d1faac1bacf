import type { LlmAuth, LlmEndpoint } from './endpoint.js'

/** The address of chat completions at an endpoint; the query of its base URL (Azure's `api-version`) is kept. */
export function completionsUrl(endpoint: Pick<LlmEndpoint, 'baseUrl' | 'query'>): string {
  return addressOf(endpoint, 'chat/completions')
}

/** The address of the list of models, which every compatible server has or answers with 404. */
export function modelsUrl(endpoint: Pick<LlmEndpoint, 'baseUrl' | 'query'>): string {
  return addressOf(endpoint, 'models')
}

/** Status codes by which a server says that this key or account is of no use; any other below 500 comes from a server that works. */
export const REFUSED_STATUSES: ReadonlySet<number> = new Set([401, 402, 403])

function addressOf({ baseUrl, query }: Pick<LlmEndpoint, 'baseUrl' | 'query'>, path: string): string {
  const url = new URL(baseUrl)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

/** What the endpoint wants in the head of every request, its key among it. */
export function endpointHeaders({ auth, headers }: LlmEndpoint): Readonly<Record<string, string>> {
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  return { ...Object.fromEntries(named), ...authorization(auth) }
}

function authorization(auth: LlmAuth): Readonly<Record<string, string>> {
  switch (auth.kind) {
    case 'bearer':
      return { authorization: `Bearer ${auth.key}` }
    case 'api-key':
      return { 'api-key': auth.key }
    case 'none':
      return {}
  }
}
