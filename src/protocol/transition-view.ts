import type { TransitionView } from './fallback.js'
import { scopeName } from './fallback-scope.js'
import { instant } from './instant.js'
import { type TransitionFacts, transitionKind, transitionReason } from './transition-text.js'

/** A transition as it is kept; instants are wall-clock ms. */
export interface TransitionRecord extends TransitionFacts {
  readonly at: number
  readonly replica: string
  readonly userId?: string
  readonly holdUntil?: number
  readonly trips: number
  readonly revision: number
  readonly evidence?: unknown
  readonly guardrails?: unknown
}

/** The entry of `GET /runtime/fallback/history` but its id, which it gets only when it is kept. */
export function transitionView(
  transition: TransitionRecord,
  language: 'zh-CN' | 'en',
): Omit<TransitionView, 'id'> {
  return {
    at: instant(transition.at),
    kind: transitionKind(transition),
    from: transition.from,
    to: transition.to,
    scope: transition.from === 'normal' && transition.to === 'normal' ? null : scopeName(transition.scope),
    scopeIds: [...(transition.scope?.ids ?? [])],
    manualFrom: transition.manualFrom,
    manualTo: transition.manualTo,
    actor: transition.actor,
    replica: transition.replica,
    userId: transition.userId ?? null,
    reason: transitionReason(transition, language),
    cause: transition.cause ?? null,
    value: transition.value ?? null,
    threshold: transition.threshold ?? null,
    trips: transition.trips,
    holdUntil: transition.holdUntil === undefined ? null : instant(transition.holdUntil),
    recoveringPercent: transition.recoveringPercent ?? null,
    revision: transition.revision,
    evidence: transition.evidence ?? null,
    guardrails: transition.guardrails ?? null,
  }
}
