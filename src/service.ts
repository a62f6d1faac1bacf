import { createApp } from './app.js'
import type { Config } from './config.js'
import { type Clock, scheduleAwaited, systemClock } from './core/clock.js'
import type { Logger } from './core/logger.js'
import { createPulse, type Pulse } from './core/pulse/pulse.js'
import { watchStalls } from './core/pulse/stalls.js'
import { createTimerWheel } from './core/timer-wheel.js'
import type { Lifecycle } from './http/app-deps.js'
import { createSigningKeys } from './http/auth/token-keys.js'
import { createHttpServer } from './http/edge/http-server.js'
import { createFleetStreams } from './http/fleet/fleet-streams.js'
import { type Missing, untilReady } from './http/readiness.js'
import { closeServer, listen } from './listening.js'
import type { Surroundings } from './parts/surroundings.js'
import { createParts } from './parts.js'
import { type StopStep, stopInStages } from './shutdown-steps.js'
import { createTurnRegistry } from './turn/turn-registry.js'
import type { Siblings } from './workers/siblings.js'

/** A running service; `stop` drains as the protocol says and may be called at any time, also more than once. */
export interface Service {
  /** @throws when the port is taken, the conversations cannot be opened, or it was stopped meanwhile */
  start(): Promise<{ readonly url: string }>
  /** Unready at once; every part is ended, whatever the others did, within the times of lame duck and drain, and 2 s. @throws StopFailed naming what failed */
  stop(): Promise<void>
  /** ms after the beginning of a stop by which it is over, unless the process itself is blocked */
  readonly stopMs: number
}

/** ms after the drain by which each stage of a stop is over: turns given up, connections and flags, the database */
const TURNS_MS = 1_200
const EDGES_MS = 1_500
const DATABASE_MS = 1_700
/** ms the last spans may take at most, and how long before the end of the stop they are given up */
const SPANS_MS = 1_000
const SPANS_MARGIN_MS = 100
/** ms this process may stand still before it is told */
const STALL_MS = 1000
/** ms more for the exit itself */
const EXIT_MS = 100

/** Starts and stops every part in order; `make` is for tests of parts that fail, `siblings` the other workers behind the port. */
export async function createService(
  config: Config,
  logger: Logger,
  clock: Clock = systemClock,
  make: typeof createParts = createParts,
  siblings?: Siblings,
): Promise<Service> {
  let state: ReturnType<Lifecycle['state']> = 'starting'
  const enter = (next: typeof state): void => {
    state = next
    parts.replicas.enter(next)
  }
  let starting: Promise<unknown> = Promise.resolve()
  let stopping: Promise<void> | undefined
  let sweep: ReturnType<typeof parts.startSweep>
  let seeding: ReturnType<typeof parts.startSeeding>
  const draining = new AbortController()

  // Whatever waits for a backend or a reader has a deadline.
  const pulse: Pulse = createPulse(clock, () => deadlines.isBusy())
  const stalls = watchStalls(clock, pulse, (ms) => {
    if (ms < STALL_MS) return
    logger.warn({ ms: Math.round(ms) }, 'this process stood still')
    parts.localFaults.note('held_up')
  })
  const watched: Clock = { ...clock, stalledMs: (now) => stalls.totalMs(now) }
  const deadlines = createTimerWheel(watched, () => pulse.wake())
  const alerts: Surroundings['alerts'] = () =>
    signingKeys.isUnreachable() ? [{ kind: 'keys_unreachable' }] : []
  const parts = await make({
    config,
    logger,
    clock: watched,
    deadlines,
    pulse,
    alerts,
    openStreams: () => turns.count,
  })
  const { flags, fallback, rollout, recoveryShadows, shadows } = parts
  const turns = createTurnRegistry(clock)
  const fleet =
    parts.redis &&
    createFleetStreams({
      link: parts.redis,
      clock,
      replica: `${config.replica}#${parts.ids.newId()}`,
      ids: parts.ids,
    })
  let missing: readonly Missing[] = []
  const lifecycle = { state: () => state, missing: () => missing, draining: draining.signal }
  const signingKeys = createSigningKeys(config.auth.keys, { clock, logger, kept: parts.kept })
  const metrics =
    siblings === undefined
      ? parts.metrics
      : { ...parts.metrics, exposition: siblings.exposition(parts.metrics.exposition) }
  const app = createApp({
    ...parts,
    metrics,
    config,
    turns,
    clock: deadlines,
    logger,
    lifecycle,
    signingKeys,
    ...(fleet === undefined ? {} : { fleet }),
  })
  const server = createHttpServer(app.listener)

  const assertWanted = (): void => {
    if (stopping !== undefined) throw new Error('stopped before it had started')
  }

  async function start(): Promise<{ readonly url: string }> {
    assertWanted()
    await parts.tracing.start()
    assertWanted()
    const fault = await parts.checkDatabase()
    if (fault !== undefined) logger.warn({ error: fault }, 'starting without the database')
    assertWanted()
    // Of several workers one that is not ready yet would be sent its share of the connections.
    const early = config.worker === undefined ? await listen(server, config) : undefined
    assertWanted()
    stalls.start()
    parts.loopLag.start()
    shadows.start()
    signingKeys.start()
    parts.notifier?.start()
    parts.redis?.start()
    fleet?.start()
    parts.replicas.start()
    seeding = parts.startSeeding()
    await seeding?.first
    assertWanted()
    // Before the flags: they may come from a flagd that gets them here.
    await parts.flagSource?.start()
    assertWanted()
    await flags.start()
    parts.overload.start()
    assertWanted()
    await fallback.start()
    assertWanted()
    await rollout.start()
    assertWanted()
    const known = () => ({ flags: flags.origin(), keys: signingKeys.origin() })
    await untilReady(known, config.readyWaitMs, {
      clock,
      logger,
      isOver: () => stopping !== undefined,
      note: (now) => {
        missing = now
      },
    })
    assertWanted()
    const url = early ?? (await listen(server, config))
    assertWanted()
    sweep = parts.startSweep()
    enter('ready')
    return { url }
  }

  /** No longer ready, and otherwise as before, until load balancers have noticed. */
  async function lameDuck(): Promise<void> {
    enter('leaving')
    if (config.lameduckMs > 0)
      await new Promise<void>((resolve) => scheduleAwaited(config.lameduckMs, resolve))
  }

  async function stop(): Promise<void> {
    if (state === 'ready') await lameDuck()
    enter('draining')
    const endsAt = clock.monotonic() + config.drainMs + DATABASE_MS
    draining.abort()
    const { drainMs } = config
    await stopInStages(
      [
        {
          untilMs: drainMs + TURNS_MS,
          steps: [
            { name: 'start', run: () => starting.catch(() => undefined) },
            // A replica that goes away may lose its own way to the runtime first: it trips nobody, and lets the lease go.
            { name: 'fallback', run: () => fallback.stop() },
            { name: 'rollout', run: () => rollout.stop() },
            { name: 'stalls', run: () => stalls.stop() },
            { name: 'turns', run: () => turns.drain(drainMs) },
            { name: 'overload', run: () => parts.overload.stop() },
            { name: 'recovery shadows', run: () => recoveryShadows.stop() },
            { name: 'shadows', run: () => shadows.stop(drainMs) },
          ],
        },
        {
          untilMs: drainMs + EDGES_MS,
          steps: [
            { name: 'port', run: () => closeServer(server) },
            { name: 'streams in Redis', run: () => fleet?.close() },
            { name: 'retention', run: () => sweep?.stop() },
            { name: 'flag source', run: () => parts.flagSource?.close() },
            { name: 'flags', run: () => flags.close() },
            { name: 'signing keys', run: () => signingKeys.close() },
            { name: 'first flags', run: () => seeding?.stop() },
            { name: 'flag edits', run: () => parts.opsFile.close() },
            { name: 'notifications', run: () => parts.notifier?.close() },
          ],
        },
        {
          untilMs: drainMs + DATABASE_MS,
          steps: [
            ...Object.entries({ ...parts.backends }).map(([name, backend]) => closing(name, backend)),
            ...Object.entries(parts.shadowBackends).map(([name, backend]) =>
              closing(`shadow ${name}`, backend),
            ),
            { name: 'traces', run: () => parts.tracing.stop(spansMs(endsAt - clock.monotonic())) },
            { name: 'Redis', run: () => parts.redis?.close() },
            { name: 'journal', run: () => parts.journal.close() },
            { name: 'sessions', run: () => parts.sessions.close() },
            { name: 'idempotency keys', run: () => parts.idempotency.close() },
            { name: 'flag store', run: () => parts.flagStores.close() },
            { name: 'usage', run: () => parts.usage.close() },
            { name: 'replicas', run: () => parts.replicas.stop() },
            { name: 'event loop lag', run: () => parts.loopLag.stop() },
            { name: 'kept texts', run: () => parts.kept.close() },
          ],
        },
      ],
      clock,
    )
    logger.info('stopped')
  }

  return {
    stopMs: config.lameduckMs + config.drainMs + DATABASE_MS + EXIT_MS,
    start() {
      const started = start()
      starting = started
      return started
    },
    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

/** ms for the last spans: most of what is left of the stop, so that a collector that hangs fails no stop */
const spansMs = (leftMs: number): number => Math.max(0, Math.min(SPANS_MS, leftMs - SPANS_MARGIN_MS))

const closing = (name: string, part: { close(): void }): StopStep => ({ name, run: () => part.close() })
