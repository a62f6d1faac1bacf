import type { Logger } from '../../core/logger.js'
import type { Transition } from '../../journal/journal.js'
import { isTripKind } from '../../protocol/fallback.js'
import { tripReason } from '../../protocol/fallback-reason.js'
import { transitionKind, transitionReason } from '../../protocol/transition-text.js'
import type { Trip } from '../../store/override/override.js'
import type { Alert } from '../fallback.js'

/** One function for each business event of the fallback in the log. */

/** A change of the override by this replica; towards the direct LLM a warning, with the text operators search for. */
export function transitioned(logger: Logger, transition: Transition): void {
  const line = lineOf(transition)
  if (isTripKind(transitionKind(transition))) logger.warn(line, '[Chat] 自动回退到 direct 模式')
  else if (line.kind === 'hand_edit_refused')
    logger.warn(line, `[Fallback] ${transitionReason(transition, 'en')}`)
  else logger.info(line, `[Fallback] ${transitionReason(transition, 'en')}`)
}

/** Another replica, or a person's edit it took over, changed the override. */
export function adopted(logger: Logger, transition: Transition): void {
  logger.info(
    { ...lineOf(transition), writtenBy: transition.replica },
    '[Fallback] taken over from the flag store',
  )
}

export function alertRaised(logger: Logger, alert: Alert): void {
  logger.warn({ ...alert }, `[Fallback] alert: ${alert.kind}`)
}

export function alertOver(logger: Logger, alert: Alert): void {
  logger.info({ kind: alert.kind }, `[Fallback] over: ${alert.kind}`)
}

/** In breach while the others recover: direct for its own turns, until it was healthy once. */
export function isolationBegan(logger: Logger): void {
  logger.warn(
    {},
    '[Fallback] isolated: this replica alone stays with the direct LLM, for it is in breach itself',
  )
}

export function isolationOver(logger: Logger): void {
  logger.info({}, '[Fallback] no longer isolated')
}

/** Policy `observe`: a trip that was not made. Once for each cause, however long it lasts. */
export function wouldHaveTripped(logger: Logger, trip: Trip): void {
  logger.warn({ ...trip, why: tripReason(trip, 'zh-CN') }, '[Fallback] would trip, but the policy is observe')
}

/** What would have tripped is over, or the policy lets it trip by now. */
export function wouldTripNoMore(logger: Logger): void {
  logger.info({}, '[Fallback] over: would trip')
}

/** A round of the loop failed; it goes on. Told once for each fault. */
export function roundFailed(logger: Logger, error: string): void {
  logger.error({ error }, '[Fallback] the loop failed; it goes on')
}

function lineOf(transition: Transition): Record<string, unknown> & { kind: string } {
  // The logger names this replica itself.
  const { evidence: _, guardrails: __, replica: ___, ...rest } = transition
  return { ...rest, kind: transitionKind(transition), why: transitionReason(transition, 'zh-CN') }
}
