import { type Logger as PinoLogger, pino } from 'pino'

/** A logger whose lines a test can read. */
export function capturingLogger(): { logger: PinoLogger; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => void lines.push(JSON.parse(line))
  return { logger: pino({ level: 'trace', base: {} }, { write }), lines }
}
