/** What becomes of a `<think>` block at the start of an answer: `auto` reads it as thinking, `off` leaves it in the text. */
export type ThinkTags = 'auto' | 'off'

/** How an endpoint wants its key: `Authorization: Bearer <key>`, a header `api-key` of its own (Azure), or not at all. */
export type LlmAuth =
  | { readonly kind: 'bearer'; readonly key: string }
  | { readonly kind: 'api-key'; readonly key: string }
  | { readonly kind: 'none' }

/** One OpenAI-compatible server and how it wants to be asked. The environment or `CHAT_LLM_FILE` describes it. */
export interface LlmEndpoint {
  /** unique in the list; appears in the log, in metrics and in the flag `chat-llm-route` */
  readonly name: string
  /** up to and without `/chat/completions`, without a trailing slash; it may have a query */
  readonly baseUrl: string
  /** where the agent's profile names none */
  readonly model: string
  readonly auth: LlmAuth
  /** sent with every request */
  readonly headers: Readonly<Record<string, string>>
  /** added to the query of the URL */
  readonly query: Readonly<Record<string, string>>
  /** parameters of the request that have another name here, ours → theirs */
  readonly rename: Readonly<Record<string, string>>
  /** parameters that are not sent, by our names */
  readonly omit: readonly string[]
  /** more fields of the request; they win over those of the service */
  readonly body: Readonly<Record<string, unknown>>
  readonly thinkTags: ThinkTags
  /** requests at a time; absent: no limit */
  readonly maxConcurrent?: number
  /**
   * UTF-16 code units of all messages of a request at most: the oldest turns are left out until the rest fits. Absent: no limit
   * but `CHAT_HISTORY_BUDGET`.
   */
  readonly contextCharacters?: number
}

/** Ordered: without a route the first is asked first. */
export type LlmEndpoints = readonly [LlmEndpoint, ...LlmEndpoint[]]

/** The endpoint that `LLM_BASE_URL`, `LLM_API_KEY` and `LLM_MODEL` make. */
const DEFAULT_ENDPOINT = 'default'

/** An endpoint from what is known of it; the rest is as servers mostly want it. */
export function llmEndpoint(
  given: Pick<LlmEndpoint, 'baseUrl' | 'model'> & Partial<LlmEndpoint>,
): LlmEndpoint {
  return {
    name: DEFAULT_ENDPOINT,
    auth: { kind: 'none' },
    headers: {},
    query: {},
    rename: {},
    omit: [],
    body: {},
    thinkTags: 'auto',
    ...given,
    baseUrl: given.baseUrl.replace(/\/+$/, ''),
  }
}
