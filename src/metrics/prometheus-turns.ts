import { Counter, Histogram, type Registry } from 'prom-client'
import { EXECUTION_MODES, type ExecutionMode } from '../protocol/modes.js'

export const TURN_OUTCOMES = ['answered', 'stopped', 'failed', 'aborted'] as const
export type TurnOutcome = (typeof TURN_OUTCOMES)[number]

/** One turn as its user saw it, failover included. */
export interface EndedTurn {
  /** who answered, or failed last */
  readonly mode: ExecutionMode
  readonly outcome: TurnOutcome
  /** ms from the request to the end of the answer */
  readonly latencyMs: number
  /** ms from the request to the first event that commits; absent where nothing was committed */
  readonly firstContentMs?: number
}

/** s; from a cached short answer to an agent that works for minutes */
export const DURATION_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300]
/** s; what a person waits for */
export const FIRST_CONTENT_BUCKETS = [0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 20, 30, 60]

export function turnRecorder(registry: Registry): (turn: EndedTurn) => void {
  const turns = new Counter({
    name: 'chat_turns_total',
    help: 'Turns by who answered and how they ended for their users, failover included',
    labelNames: ['mode', 'outcome'],
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'chat_turn_seconds',
    help: 'From the request of a turn to the end of its answer, failover included; stopped and aborted turns left out',
    labelNames: ['mode'],
    buckets: DURATION_BUCKETS,
    registers: [registry],
  })
  const firstContent = new Histogram({
    name: 'chat_turn_first_content_seconds',
    help: 'From the request of a turn to the first of its answer, failover included',
    labelNames: ['mode'],
    buckets: FIRST_CONTENT_BUCKETS,
    registers: [registry],
  })
  // Known from the first scrape on, so that a rate over them is 0 and not missing.
  for (const mode of EXECUTION_MODES) for (const outcome of TURN_OUTCOMES) turns.labels(mode, outcome).inc(0)
  return ({ mode, outcome, latencyMs, firstContentMs }) => {
    turns.labels(mode, outcome).inc()
    if (outcome === 'answered' || outcome === 'failed') seconds.labels(mode).observe(latencyMs / 1000)
    if (firstContentMs !== undefined) firstContent.labels(mode).observe(firstContentMs / 1000)
  }
}

/** @returns what records an answered request: its route (`POST /api/v1/chat/start`, or `unmatched`) and HTTP status */
export function requestRecorder(registry: Registry): (route: string, code: number) => void {
  const requests = new Counter({
    name: 'chat_http_requests_total',
    help: 'HTTP requests by route and status; 499 where the client left before any answer',
    labelNames: ['route', 'code'],
    registers: [registry],
  })
  return (route, code) => requests.labels(route, String(code)).inc()
}
