import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { FlagsOrigin } from '../decision/flags.js'

/** What a start waits for. */
export interface Known {
  readonly flags: FlagsOrigin
  readonly keys: 'source' | 'kept' | 'nothing'
}

/** As the log names it. */
export type Missing = 'the flags' | 'the signing keys' | 'the database'

/** What is still missing for a replica that is to be ready; `[]`: nothing. `waited`: the time for the sources is over. */
export function missingForReady({ flags, keys }: Known, waited: boolean): Missing[] {
  const missing: Missing[] = []
  // Without flags anywhere the environment decides, as in an installation that has none.
  if (flags === 'unread') missing.push('the database')
  else if (flags !== 'source' && !waited) missing.push('the flags')
  if (keys === 'nothing' || (keys === 'kept' && !waited)) missing.push('the signing keys')
  return missing
}

/** ms between two looks */
const LOOK_MS = 20
/** ms between two log lines about what is missing */
const TOLD_EVERY_MS = 10_000

/**
 * Waits until nothing is missing any more: for the sources themselves at most `waitMs`, then for what was kept of them. A
 * replica that could verify no token stays unready, so that a rolling restart stops with it. Ends early where `isOver` says so.
 * @param note is told at each look what is missing
 */
export async function untilReady(
  look: () => Known,
  waitMs: number,
  {
    clock,
    logger,
    isOver,
    note,
  }: {
    readonly clock: Clock
    readonly logger: Logger
    isOver(): boolean
    note(missing: readonly Missing[]): void
  },
): Promise<void> {
  const startedAt = clock.monotonic()
  let toldAt = startedAt + waitMs - TOLD_EVERY_MS
  for (;;) {
    const now = clock.monotonic()
    const missing = missingForReady(look(), now - startedAt >= waitMs)
    note(missing)
    if (missing.length === 0 || isOver()) return
    if (now - toldAt >= TOLD_EVERY_MS) {
      toldAt = now
      logger.warn({ missing, waitedMs: Math.round(now - startedAt) }, 'not ready yet')
    }
    await new Promise<void>((resolve) => clock.schedule(LOOK_MS, resolve))
  }
}
