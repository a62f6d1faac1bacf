import { existsSync } from 'node:fs'
import { unknownText, unknownVariables } from './config/unknown-variables.js'
import { ConfigError, loadConfig } from './config.js'
import { type Bilingual, languageOfLocale } from './core/bilingual.js'
import { systemClock } from './core/clock.js'
import { errorText } from './core/errors.js'
import { createLogger } from './core/logger.js'
import { killAfter, leave } from './process-exit.js'
import { channelToPrimary, workerNumber } from './workers/cluster.js'
import { joinSiblings } from './workers/siblings.js'

/** Process edge: environment, signals, exit code. 0 after a clean stop, 1 for a fault, 2 for a wrong environment; `--check` looks at that alone. */
async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const config = loadConfig(process.env)
  // Only whether it could start: nothing is opened.
  if (process.argv.includes('--check')) {
    tellUnknown((text) => process.stdout.write(`${text[language()]}\n`))
    return
  }
  // Only now: to load the service takes most of the time of a start, and neither the check nor a primary needs it.
  const worker = workerNumber()
  const logger = createLogger(config.logLevel, { replica: config.replica })
  if (worker === undefined) tellUnknown(({ en }) => logger.warn(en))
  if (config.workers > 1 && worker === undefined) {
    const { runPrimary } = await import('./workers/run-primary.js')
    runPrimary(config)
    return
  }
  const siblings =
    worker === undefined
      ? undefined
      : joinSiblings(channelToPrimary(), systemClock, () => stopOnce('primary'))
  const { createService } = await import('./service.js')
  const own = worker === undefined ? config : { ...config, worker }
  const service = await createService(own, logger, systemClock, undefined, siblings)
  let isEnding = false

  const end = (code: 0 | 1): void => {
    isEnding = true
    killAfter(service.stopMs, config.replica, logger)
    service.stop().then(
      () => leave(code, logger),
      (error: unknown) => {
        logger.error({ err: errorText(error) }, 'stopped with a fault')
        leave(1, logger)
      },
    )
  }
  const stop = (signal: NodeJS.Signals | 'primary'): void => {
    for (const again of ['SIGTERM', 'SIGINT'] as const) process.once(again, () => leave(1, logger)) // a second one does not wait
    logger.info({ signal, lameduckMs: config.lameduckMs, drainMs: config.drainMs }, 'stopping')
    end(0)
  }
  /** A signal to the whole group reaches a worker before the primary's word does. */
  const stopOnce = (signal: 'primary'): void => {
    if (isEnding) return
    process.removeListener('SIGTERM', stop)
    process.removeListener('SIGINT', stop)
    stop(signal)
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)

  // What nobody caught leaves who knows what behind: open streams may end well, and another process takes over.
  const onStray = (kind: string) => (thrown: unknown) => {
    logger.error({ kind, ...placeOf(thrown), drainMs: config.drainMs }, 'a stray error: stopping')
    if (!isEnding) end(1)
  }
  process.on('uncaughtException', onStray('uncaughtException'))
  process.on('unhandledRejection', onStray('unhandledRejection'))

  try {
    const { url } = await service.start()
    const resolver = config.flags.providerModule === undefined ? config.flags.resolver : 'provider'
    logger.info({ url, resolver }, 'listening')
  } catch (error) {
    // Stopped while it started: the stop says how the process ends.
    if (!isEnding) throw error
  }
}

/** Of what a person reads at the terminal. */
const language = () => languageOfLocale(process.env)

/** A slip in the name of a variable is no fault: the service cannot know that the variable was meant for it. */
function tellUnknown(tell: (text: Bilingual) => void): void {
  const unknown = unknownText(unknownVariables(process.env))
  if (unknown !== undefined) tell(unknown)
}

/** The message of a stray error may quote what it choked on: its place is enough to find it. */
function placeOf(thrown: unknown): { name: string; at?: string[] } {
  if (!(thrown instanceof Error)) return { name: typeof thrown }
  return { name: thrown.name, at: thrown.stack?.split('\n').slice(-6) ?? [] }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof ConfigError ? error.textIn(language()) : errorText(error)}\n`)
  // What is missing may be there under another name.
  if (error instanceof ConfigError) tellUnknown((text) => process.stderr.write(`${text[language()]}\n`))
  process.exit(error instanceof ConfigError ? 2 : 1)
})
