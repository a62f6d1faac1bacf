import { bounded } from '../core/bounded.js'
import { type Clock, scheduleAwaited, type Timer } from '../core/clock.js'
import { errorText } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import type { ReplicaState } from '../protocol/fallback.js'
import type { ReplicaTable, SeenReplica } from './replicas.js'

/** ms between two signs of life */
export const EVERY_MS = 10_000
/** ms for which a replica that is silent is remembered */
export const REMEMBERED_MS = 86_400_000
/** ms the last words may take */
const STOP_MS = 500
/** replicas told of: each status names them all */
export const MOST_REPLICAS = 50

export interface PresenceOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly table: ReplicaTable
  readonly name: string
  /** of the package */
  readonly version: string
}

/** This replica's sign of life, and what it knows of the others. Nothing here throws. */
export interface Presence {
  /** Tells of this replica now and every 10 s. */
  start(): void
  /** Tells a new state at once. */
  enter(state: ReplicaState): void
  /** Those of the last day, the newest first, at most 50; this one as it is now, also while the database is away. */
  seen(): readonly SeenReplica[]
  /** Tells that this replica has stopped, if the database takes it within half a second, and closes it. */
  stop(): Promise<void>
}

export function createPresence({ clock, logger, table, name, version }: PresenceOptions): Presence {
  let state: ReplicaState = 'starting'
  let known: readonly SeenReplica[] = []
  let since: number | undefined
  let timer: Timer | undefined
  let running: Promise<void> | undefined
  let isTold = true

  async function exchange(): Promise<void> {
    const now = Math.round(clock.wall())
    since ??= now
    try {
      known = await table.exchange({ name, version, state }, now, now - REMEMBERED_MS, MOST_REPLICAS)
      isTold = true
    } catch (thrown) {
      // Once per outage: the alert of the database says the rest.
      if (isTold)
        logger.warn({ error: errorText(thrown) }, '[Replicas] the list of replicas is not up to date')
      isTold = false
    }
  }

  /** One at a time; what changed while one ran is told by the next. */
  function round(): void {
    timer?.cancel()
    timer = clock.schedule(EVERY_MS, round)
    if (running !== undefined) return
    const told = state
    running = exchange().then(() => {
      running = undefined
      if (told !== state && timer !== undefined) round()
    })
  }

  async function lastWords(wasStarted: boolean): Promise<void> {
    await running
    state = 'stopped'
    if (wasStarted) await exchange()
  }

  return {
    start: round,
    enter(next) {
      state = next
      if (timer !== undefined) round()
    },
    seen() {
      const now = Math.round(clock.wall())
      const before = known.find((one) => one.name === name)
      const own = { name, version, state, firstSeen: before?.firstSeen ?? since ?? now, lastSeen: now }
      return [own, ...known.filter((one) => one.name !== name)].slice(0, MOST_REPLICAS)
    },
    async stop() {
      const wasStarted = timer !== undefined
      timer?.cancel()
      timer = undefined
      await bounded(lastWords(wasStarted), STOP_MS, clock, (_, ms, callback) => scheduleAwaited(ms, callback))
      await table.close()
    },
  }
}
