import { createServer, type Server } from 'node:http'
import { createApp } from './app.js'
import type { Config } from './config.js'
import { type Clock, systemClock } from './core/clock.js'
import type { Logger } from './core/logger.js'
import type { Lifecycle } from './http/app-deps.js'
import { answerClientError } from './http/client-error.js'
import { createTurnRegistry } from './http/turns.js'
import { closeServer, listen } from './listening.js'
import { createParts } from './parts.js'

/** A running service; `stop` drains as the protocol says and may be called at any time, also more than once. */
export interface Service {
  /** @throws when the port is taken or the conversations cannot be opened */
  start(): Promise<{ readonly url: string }>
  stop(): Promise<void>
}

/** ms an idle connection is kept: longer than a load balancer's usual 60 s, so that the balancer closes first */
const KEEP_ALIVE_MS = 65_000

/** Starts and stops every part in order. */
export function createService(config: Config, logger: Logger, clock: Clock = systemClock): Service {
  let state: ReturnType<Lifecycle['state']> = 'starting'
  let stopping: Promise<void> | undefined
  const draining = new AbortController()

  const parts = createParts({ config, logger, clock })
  const { flags, fallback, recoveryShadows, shadows } = parts
  const turns = createTurnRegistry(clock)
  const lifecycle = { state: () => state, draining: draining.signal }
  const server = serve(createApp({ ...parts, config, turns, clock, logger, lifecycle }).callback())

  async function stop(): Promise<void> {
    state = 'draining'
    draining.abort()
    // A replica that goes away may lose its own way to the runtime first: it trips nobody, and lets the lease go.
    const fallbackStopped = fallback.stop()
    await Promise.all([turns.drain(config.drainMs), recoveryShadows.stop(), shadows.stop(config.drainMs)])
    await closeServer(server)
    await fallbackStopped
    for (const backend of [...Object.values(parts.backends), ...Object.values(parts.shadowBackends)])
      backend.close()
    await Promise.all([flags.close(), parts.notifier?.close()])
    await Promise.all([parts.journal.close(), parts.sessions.close()])
    logger.info('stopped')
  }

  return {
    async start() {
      const url = await listen(server, config)
      shadows.start()
      await flags.start()
      await fallback.start()
      if (state === 'starting') state = 'ready'
      return { url }
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

function serve(handler: Parameters<typeof createServer>[1]): Server {
  const server = createServer(handler)
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.on('clientError', answerClientError)
  return server
}
