import { type Logger as PinoLogger, pino } from 'pino'

export type Logger = Pick<PinoLogger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'child'>

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * One JSON object a line on standard output; `time` is ISO 8601 UTC and `level` a word. Once nobody reads standard output
 * any more the lines are lost and the service goes on (pino's own destination waits for the reader for ever at exit).
 */
export function createLogger(level: LogLevel, base: Record<string, string> = {}): PinoLogger {
  process.stdout.on('error', () => undefined)
  return pino(
    {
      level,
      base,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    process.stdout,
  )
}

/** A logger that writes nothing, for tests and tools. */
export const silentLogger: PinoLogger = pino({ level: 'silent' })
