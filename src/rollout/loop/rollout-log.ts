import type { Logger } from '../../core/logger.js'
import type { RolloutChangeRecord } from '../../protocol/rollout.js'

/** One function for each business event of the rollout in the log. */

/** A change by this replica; back towards the direct LLM by the loop, and a refused edit, are warnings. */
export function rolloutChanged(logger: Logger, change: RolloutChangeRecord): void {
  const line = lineOf(change)
  const { kind } = change
  if (kind === 'lowered' || kind === 'stopped' || kind === 'hand_edit_refused')
    logger.warn(line, `[Rollout] ${kind}`)
  else logger.info(line, `[Rollout] ${kind}`)
}

/** Another replica changed it. */
export function rolloutAdopted(logger: Logger, change: RolloutChangeRecord): void {
  logger.info({ ...lineOf(change), writtenBy: change.replica }, '[Rollout] taken over from the flag store')
}

/** A round of the loop failed; it goes on. Told once for each fault. */
export function rolloutRoundFailed(logger: Logger, error: string): void {
  logger.error({ error }, '[Rollout] the loop failed; it goes on')
}

function lineOf(change: RolloutChangeRecord): Record<string, unknown> {
  // The logger names this replica itself; ids of orgs and agents may be a thousand.
  const { replica: _, orgIds, agentIds, ...rest } = change
  return { ...rest, orgs: orgIds?.length ?? null, agents: agentIds?.length ?? null }
}
