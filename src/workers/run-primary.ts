import { scheduleAwaited, systemClock } from '../core/clock.js'
import { createLogger, type LogLevel } from '../core/logger.js'
import { forkWorker } from './cluster.js'
import { createPrimary } from './primary.js'

/** What the primary needs of the environment. */
export interface PrimaryConfig {
  readonly workers: number
  readonly replica: string
  readonly logLevel: LogLevel
  readonly lameduckMs: number
  readonly drainMs: number
}

/** ms beyond lame duck and drain in which a worker closes its parts and exits */
const CLOSE_MS = 3000

/** The process that keeps the workers: it ends when they have ended, by SIGTERM or SIGINT, or because they cannot start. */
export function runPrimary(config: PrimaryConfig): void {
  const logger = createLogger(config.logLevel, { replica: `${config.replica}-primary` })
  // A name that is given is the base of the workers' names; otherwise each has its own from its process.
  const named = process.env.CHAT_REPLICA?.trim()
  const primary = createPrimary({
    workers: config.workers,
    // Where no worker runs, the timer of a restart is all that keeps this process.
    clock: { ...systemClock, schedule: scheduleAwaited },
    logger,
    fork: (number) => forkWorker(number, named ? `${named}-${number}` : undefined),
    stopMs: config.lameduckMs + config.drainMs + CLOSE_MS,
    onEnd: (code) => process.exit(code),
  })
  const stop = (signal: NodeJS.Signals): void => {
    logger.info({ signal, workers: config.workers }, 'stopping the workers')
    primary.stop()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  primary.start()
}
