import { Counter, Gauge } from 'prom-client'
import type { MetricsRegistry } from './exposition.js'

/** Of the direct LLM, from its gate and its counts. */
export interface LlmFigures {
  /** requests that ended, by endpoint and cause */
  readonly requests: readonly (readonly [endpoint: string, cause: string, count: number])[]
  readonly endpoints: readonly {
    readonly endpoint: string
    readonly requests: number
    readonly resting: boolean
  }[]
  /** turns that wait for a place now */
  readonly waiting: number
  /** turns refused with 503 because all places were taken */
  readonly refused: number
}

export function registerLlm(registry: MetricsRegistry, figures: () => LlmFigures): void {
  const registers = [registry]
  new Counter({
    name: 'chat_llm_requests_total',
    help: 'Requests to the endpoints of the direct LLM, of users and shadows; cause is ok, aborted or the code of the failure',
    labelNames: ['endpoint', 'cause'],
    registers,
    collect() {
      this.reset()
      for (const [endpoint, cause, count] of figures().requests) this.labels(endpoint, cause).inc(count)
    },
  })
  new Gauge({
    name: 'chat_llm_running_requests',
    help: 'Requests under way at an endpoint of the direct LLM',
    labelNames: ['endpoint'],
    registers,
    collect() {
      for (const { endpoint, requests } of figures().endpoints) this.set({ endpoint }, requests)
    },
  })
  new Gauge({
    name: 'chat_llm_endpoint_resting',
    help: '1 while an endpoint of the direct LLM rests after failures or because it asked for it',
    labelNames: ['endpoint'],
    registers,
    collect() {
      for (const { endpoint, resting } of figures().endpoints) this.set({ endpoint }, Number(resting))
    },
  })
  new Gauge({
    name: 'chat_llm_waiting_turns',
    help: 'Turns that wait for an endpoint of the direct LLM',
    registers,
    collect() {
      this.set(figures().waiting)
    },
  })
  new Counter({
    name: 'chat_llm_refused_turns_total',
    help: 'Turns refused with 503 because all places of their endpoints were taken and the queue was full',
    registers,
    collect() {
      this.reset()
      this.inc(figures().refused)
    },
  })
}
