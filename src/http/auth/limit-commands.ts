import type { StartRates } from '../../limits/start-rates.js'
import { retryLater } from '../edge/problems.js'
import type { Authenticate } from './auth.js'

/** Commands that one person may send in a minute: far more than work by hand or a script needs, far less than a loop makes. */
export const COMMANDS_PER_MINUTE = 300

/** Reads that are as heavy as commands. */
const LIKE_COMMANDS = /\/runtime\/export$/

/**
 * Who calls, as `authenticate` says, and not too often: whatever changes something, and exports. In each replica by itself.
 * @throws Problem 429 beside those of `authenticate`
 */
export function limitCommands(
  authenticate: Authenticate,
  rates: Pick<StartRates, 'take'>,
  perMinute: number = COMMANDS_PER_MINUTE,
): Authenticate {
  return async (ctx, least) => {
    const identity = await authenticate(ctx, least)
    const isRead = ctx.method === 'GET' || ctx.method === 'HEAD'
    if (isRead && !LIKE_COMMANDS.test(ctx.path)) return identity
    const key = JSON.stringify([identity.orgId, identity.userId])
    const { refused } = await rates.take([{ key, limit: perMinute }])
    if (refused !== undefined) throw retryLater('too_many_commands', refused.waitSeconds)
    return identity
  }
}
