import { randomUUID } from 'node:crypto'
import { explanationSchema } from '../../protocol/api.js'
import type { Invocation } from '../command/invocation.js'
import { pause } from '../command/pause.js'
import type { ServiceClient } from '../service/service-client.js'
import { CommandError } from '../text/command-error.js'

const POLL_MS = 100
/** ms of one look at a replica: one that hangs holds up nobody */
export const LOOK_MS = 2_000

/** A replica and what was seen of it. */
export interface Seen {
  readonly url: string
  readonly client: ServiceClient
  flippedMs: number | null
  backMs: number | null
  /** why the last look at it failed */
  fault: string
}

/** Asks every replica again and again what it would decide, until each says `done`, the time is over, or by Ctrl-C. */
export async function look(
  replicas: readonly Seen[],
  waitMs: number,
  invocation: Invocation,
  over: AbortSignal,
  done: (replica: Seen, isFlipped: boolean) => boolean,
): Promise<void> {
  const { clock, given } = invocation
  const until = AbortSignal.any([invocation.interrupted(), over])
  const endsAt = clock.monotonic() + waitMs
  const sessionId = randomUUID()
  const lookAt = async (replica: Seen): Promise<void> => {
    while (clock.monotonic() < endsAt && !until.aborted) {
      try {
        const query = { orgId: given.text('org'), sessionId }
        const { data } = await replica.client.ask({ path: '/runtime/explain', query }, explanationSchema)
        replica.fault = ''
        if (done(replica, data.decision.reason === 'fallback')) return
      } catch (thrown) {
        if (!(thrown instanceof CommandError)) throw thrown
        replica.fault = thrown.message
      }
      await pause(POLL_MS, clock, until)
    }
  }
  await Promise.all(replicas.map(lookAt))
}
