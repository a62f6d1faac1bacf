import { existsSync } from 'node:fs'
import { ConfigError, loadConfig } from './config.js'
import { errorText } from './core/errors.js'
import { createLogger } from './core/logger.js'
import { createService } from './service.js'

/** Process edge: environment, signals, exit code. 0 after a clean stop, 1 for a fault, 2 for a wrong environment. */
async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const config = loadConfig(process.env)
  const logger = createLogger(config.logLevel, { replica: config.replica })
  const service = createService(config, logger)

  const stop = (signal: NodeJS.Signals): void => {
    process.once(signal, () => process.exit(1)) // a second signal does not wait
    logger.info({ signal, drainMs: config.drainMs }, 'stopping')
    service.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: errorText(error) }, 'stopped with a fault')
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)

  const { url } = await service.start()
  logger.info({ url, resolver: config.flags.resolver }, 'listening')
}

main().catch((error: unknown) => {
  process.stderr.write(`${errorText(error)}\n`)
  process.exit(error instanceof ConfigError ? 2 : 1)
})
