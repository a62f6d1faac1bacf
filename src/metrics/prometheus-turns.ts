import { Counter } from 'prom-client'
import { EXECUTION_MODES, type ExecutionMode } from '../protocol/modes.js'
import type { MetricsRegistry } from './exposition.js'
import { DURATION_BUCKETS, type Exemplar, FIRST_CONTENT_BUCKETS, timesByMode } from './times-by-mode.js'

export const TURN_OUTCOMES = ['answered', 'stopped', 'failed', 'aborted'] as const
export type TurnOutcome = (typeof TURN_OUTCOMES)[number]

/** One turn as its user saw it, failover included. */
export interface EndedTurn {
  /** who answered, or failed last */
  readonly mode: ExecutionMode
  readonly outcome: TurnOutcome
  /** ms from the request to the end of the answer */
  readonly latencyMs: number
  /** ms from the request to the first event that commits; absent if nothing was committed */
  readonly firstContentMs?: number
}

export function turnRecorder(
  registry: MetricsRegistry,
  exemplar: () => Exemplar | undefined,
): (turn: EndedTurn) => void {
  const turns = new Counter({
    name: 'chat_turns_total',
    help: 'Turns by who answered and how they ended for their users, failover included',
    labelNames: ['mode', 'outcome'],
    registers: [registry],
  })
  const seconds = timesByMode(
    registry,
    {
      name: 'chat_turn_seconds',
      help: 'From the request of a turn to the end of its answer, failover included; stopped and aborted turns left out',
      buckets: DURATION_BUCKETS,
    },
    exemplar,
  )
  const firstContent = timesByMode(
    registry,
    {
      name: 'chat_turn_first_content_seconds',
      help: 'From the request of a turn to the first of its answer, failover included',
      buckets: FIRST_CONTENT_BUCKETS,
    },
    exemplar,
  )
  // Known from the first scrape on, so that a rate over them is 0 and not missing.
  for (const mode of EXECUTION_MODES) for (const outcome of TURN_OUTCOMES) turns.labels(mode, outcome).inc(0)
  return ({ mode, outcome, latencyMs, firstContentMs }) => {
    turns.labels(mode, outcome).inc()
    if (outcome === 'answered' || outcome === 'failed') seconds(mode, latencyMs / 1000)
    if (firstContentMs !== undefined) firstContent(mode, firstContentMs / 1000)
  }
}

/** @returns what records an answered request: its route (`POST /api/v1/chat/start`, or `unmatched`) and HTTP status */
export function requestRecorder(registry: MetricsRegistry): (route: string, code: number) => void {
  const requests = new Counter({
    name: 'chat_http_requests_total',
    help: 'HTTP requests by route and status; 499 where the client left before any answer',
    labelNames: ['route', 'code'],
    registers: [registry],
  })
  return (route, code) => requests.labels(route, String(code)).inc()
}
