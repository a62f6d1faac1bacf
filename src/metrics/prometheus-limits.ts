import { Counter, Gauge } from 'prom-client'
import { REFUSAL_REASONS, type RefusalReason } from '../limits/refusal.js'
import type { MetricsRegistry } from './exposition.js'

/** @param overloadLevel 0 to 4; asked at each exposition */
export function registerOverload(registry: MetricsRegistry, overloadLevel: () => number): void {
  new Gauge({
    name: 'chat_overload_level',
    help: '0 none, 1 no shadows, 2 no recovery shadows, 3 new sessions are held back, 4 all new turns are, and the replica is not ready',
    registers: [registry],
    collect() {
      this.set(overloadLevel())
    },
  })
}

export function refusalRecorder(registry: MetricsRegistry): (reason: RefusalReason) => void {
  const refused = new Counter({
    name: 'chat_refused_total',
    help: 'Turns and readers that were refused, by the limit',
    labelNames: ['reason'],
    registers: [registry],
  })
  for (const reason of REFUSAL_REASONS) refused.labels(reason).inc(0)
  return (reason) => refused.labels(reason).inc()
}
