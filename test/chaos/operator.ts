import {
  type FallbackStatus,
  fallbackStatusSchema,
  type TransitionView,
  transitionSchema,
} from '../../src/protocol/fallback.js'

const CALL_MS = 15_000

/** An operator at one replica's API. Rejects where it does not answer. */
export class Operator {
  constructor(
    private readonly url: string,
    private readonly authorization: string,
  ) {}

  status(): Promise<FallbackStatus> {
    return this.#call('GET', 'status').then((data) => fallbackStatusSchema.parse(data))
  }

  reset(): Promise<FallbackStatus> {
    return this.#call('POST', 'reset').then((data) => fallbackStatusSchema.parse(data))
  }

  trigger(reason: string): Promise<FallbackStatus> {
    return this.#call('POST', 'trigger', { reason }).then((data) => fallbackStatusSchema.parse(data))
  }

  /** newest first */
  history(): Promise<TransitionView[]> {
    return this.#call('GET', 'history?limit=500').then((data) => transitionSchema.array().parse(data))
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/runtime/fallback/${path}`, {
      method,
      headers: {
        authorization: this.authorization,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(CALL_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer: { data?: unknown } = JSON.parse(await response.text())
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status}`)
    return answer.data
  }
}
