import type { Clock, Timer } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import { type FromPrimary, readFromWorker } from './messages.js'
import { NEVER_RESTARTED, type RestartState, restartAfter } from './restart.js'

/** A worker process as the primary sees it. */
export interface WorkerProcess {
  send(message: FromPrimary): void
  /** SIGKILL */
  kill(): void
  onMessage(listener: (message: unknown) => void): void
  onListening(listener: () => void): void
  /** Called once. @param code null: ended by a signal */
  onExit(listener: (code: number | null) => void): void
}

export interface PrimaryOptions {
  readonly workers: number
  readonly clock: Clock
  readonly logger: Logger
  /** @param number of the place, from 1 */
  readonly fork: (number: number) => WorkerProcess
  /** ms a worker may take to stop */
  readonly stopMs: number
  /** Called once, when no worker is left: after a stop, or where the service cannot start. */
  onEnd(code: number): void
}

export interface Primary {
  start(): void
  /** All workers drain as one process would. The second call ends them at once. */
  stop(): void
}

/** ms the workers have to tell their metrics */
const METRICS_MS = 1000
/** ms more than their own limit until workers that are left are killed */
const KILL_AFTER_MS = 1000

interface Place {
  readonly number: number
  worker: WorkerProcess | undefined
  startedAt: number
  restart: RestartState
  timer: Timer | undefined
}

interface Asked {
  readonly bodies: string[]
  missing: number
  readonly answer: () => void
}

/**
 * Keeps so many workers behind one port: starts one that ended again, each time after a longer wait, and ends all of them together.
 * It handles no request itself. Where none ever listened, the first that ends ends the service with its exit code.
 */
export function createPrimary(options: PrimaryOptions): Primary {
  const { clock, logger } = options
  const places: Place[] = Array.from({ length: options.workers }, (_, at) => ({
    number: at + 1,
    worker: undefined,
    startedAt: 0,
    restart: NEVER_RESTARTED,
    timer: undefined,
  }))
  const asked = new Map<number, Asked>()
  let asks = 0
  let hasListened = false
  let stopping = false
  let code = 0
  let killing: Timer | undefined

  function startWorker(place: Place): void {
    place.timer = undefined
    const worker = options.fork(place.number)
    place.worker = worker
    place.startedAt = clock.monotonic()
    worker.onListening(() => {
      hasListened = true
    })
    worker.onMessage((raw) => take(worker, raw))
    worker.onExit((exit) => ended(place, exit))
  }

  function ended(place: Place, exit: number | null): void {
    place.worker = undefined
    const livedMs = clock.monotonic() - place.startedAt
    if (!stopping && !hasListened) {
      // A wrong environment, or a port that is taken, is the same at every try.
      code = exit ?? 1
      stop()
    } else if (stopping) code ||= exit ?? 1
    else {
      place.restart = restartAfter(place.restart, livedMs)
      const { waitedMs } = place.restart
      logger.error(
        { worker: place.number, code: exit, restartMs: waitedMs },
        'a worker ended; it is started again',
      )
      place.timer = clock.schedule(waitedMs, () => startWorker(place))
    }
    endIfEmpty()
  }

  function endIfEmpty(): void {
    if (!stopping || places.some(({ worker }) => worker !== undefined)) return
    killing?.cancel()
    options.onEnd(code)
  }

  function take(from: WorkerProcess, raw: unknown): void {
    const message = readFromWorker(raw)
    if (message?.kind === 'metrics_asked') gather(from, message.ask, message.format)
    else if (message?.kind === 'metrics_told') told(message.ask, message.body)
  }

  function gather(from: WorkerProcess, ask: number, format: 'prometheus' | 'openmetrics'): void {
    const all = workers()
    asks += 1
    const own = asks
    const entry: Asked = {
      bodies: [],
      missing: all.length,
      answer: () => {
        timer.cancel()
        asked.delete(own)
        from.send({ kind: 'all_metrics', ask, bodies: entry.bodies })
      },
    }
    const timer = clock.schedule(METRICS_MS, entry.answer)
    asked.set(own, entry)
    for (const worker of all) worker.send({ kind: 'own_metrics', ask: own, format })
  }

  function told(ask: number, body: string): void {
    const entry = asked.get(ask)
    if (entry === undefined) return
    entry.bodies.push(body)
    entry.missing -= 1
    if (entry.missing === 0) entry.answer()
  }

  const workers = (): WorkerProcess[] => places.flatMap(({ worker }) => worker ?? [])

  function stop(): void {
    if (stopping) return
    stopping = true
    for (const { timer } of places) timer?.cancel()
    for (const worker of workers()) worker.send({ kind: 'stop' })
    killing = clock.schedule(options.stopMs + KILL_AFTER_MS, () => {
      logger.error('workers did not end in time: ending them by SIGKILL')
      for (const worker of workers()) worker.kill()
    })
  }

  return {
    start() {
      for (const place of places) startWorker(place)
    },
    stop() {
      if (stopping) for (const worker of workers()) worker.kill()
      else stop()
      endIfEmpty()
    },
  }
}
