import type { Clock } from '../../core/clock.js'
import { type ConcurrencyLimiter, createConcurrencyLimiter } from '../edge/concurrency-limiter.js'
import { retryLater } from '../edge/problems.js'

/** long reads of the journal at a time, and those that wait for one: each takes from 0.1 s up to some seconds */
const RUNNING = 2
const WAITING = 8
/** ms; a client that waits longer should ask again */
const WAIT_MS = 10_000
/** s */
const RETRY_AFTER = 1

/** Bounds what consoles that poll the reports take from everybody else; beyond it 503 `reports_overloaded`. */
export const createReports = (clock: Clock): ConcurrencyLimiter =>
  createConcurrencyLimiter({
    clock,
    running: RUNNING,
    waiting: WAITING,
    waitMs: WAIT_MS,
    refusal: () => retryLater('reports_overloaded', RETRY_AFTER),
  })
