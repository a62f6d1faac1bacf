import { Counter, type Registry } from 'prom-client'

/** Requests to the direct LLM that ended, by endpoint and cause. */
export type LlmRequestFigures = readonly (readonly [endpoint: string, cause: string, count: number])[]

export function registerLlmRequests(registry: Registry, requests: () => LlmRequestFigures): void {
  new Counter({
    name: 'chat_llm_requests_total',
    help: 'Requests to the endpoints of the direct LLM, of users and shadows; cause is ok, aborted or the code of the failure',
    labelNames: ['endpoint', 'cause'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [endpoint, cause, count] of requests()) this.labels(endpoint, cause).inc(count)
    },
  })
}
