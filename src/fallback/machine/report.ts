import type { Transition } from '../../journal/journal.js'
import type { TransitionKind } from '../../protocol/fallback.js'
import { type AutoLayer, type Override, scopeOfAuto } from '../../store/override/override.js'
import type { Evidence, FallbackGuardrails } from '../evidence/evidence.js'

export interface ReportContext {
  /** absent: told from the two states */
  readonly kind?: TransitionKind
  readonly userId?: string
  readonly evidence?: Evidence
  readonly guardrails?: FallbackGuardrails
}

/** What changed from one override to the next, for journal, log and notification. */
export function report(before: Override, after: Override, context: ReportContext): Transition {
  const trip = tripOf(after.auto) ?? tripOf(before.auto)
  const manual = after.manual.scope === 'none' ? before.manual : after.manual
  const byHand = context.kind === 'triggered' || context.kind === 'hand_edit'
  const reason = byHand && manual.scope !== 'none' && manual.reason !== '' ? manual.reason : undefined
  const cause = byHand || context.kind === 'reset' ? 'manual' : trip?.cause
  const scope = scopeOfAuto(after.auto.state === 'normal' ? before.auto : after.auto)
  const measured = trip !== undefined && cause !== 'manual'
  return {
    at: after.updatedAt ?? 0,
    ...(context.kind === undefined ? {} : { kind: context.kind }),
    from: before.auto.state,
    to: after.auto.state,
    ...(scope === undefined ? {} : { scope }),
    manualFrom: before.manual.scope,
    manualTo: after.manual.scope,
    actor: after.actor,
    replica: after.replica ?? '',
    trips: after.trips,
    revision: after.revision,
    ...(context.userId === undefined ? {} : { userId: context.userId }),
    ...(cause === undefined ? {} : { cause }),
    ...(measured ? { value: trip.value, threshold: trip.threshold } : {}),
    ...(reason === undefined ? {} : { reason }),
    ...(after.auto.state === 'fallback' ? { holdUntil: after.auto.holdUntil } : {}),
    ...(after.auto.state === 'recovering' ? { recoveringPercent: after.auto.percent } : {}),
    ...(context.evidence === undefined ? {} : { evidence: context.evidence }),
    ...(context.guardrails === undefined ? {} : { guardrails: context.guardrails }),
  }
}

const tripOf = (auto: AutoLayer) => (auto.state === 'normal' ? undefined : auto.trip)
