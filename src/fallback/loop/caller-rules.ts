import { covers } from '../../protocol/fallback-scope.js'
import { createOverrideEvaluator } from '../../store/override/override-evaluator.js'
import type { CountingOverride, ProvidedOverride, Subject } from '../fallback.js'
import { type FallbackState, judgedScope } from '../machine/state.js'
import { overrideSource } from './override-source.js'

/** What the state of the fallback means for one caller. */
export class CallerRules {
  #state: FallbackState
  /** of what the state knows of the override */
  #evaluator: ReturnType<typeof createOverrideEvaluator>

  constructor(state: FallbackState) {
    this.#state = state
    this.#evaluator = createOverrideEvaluator(state.known)
  }

  take(state: FallbackState): void {
    if (state.known !== this.#state.known) this.#evaluator = createOverrideEvaluator(state.known)
    this.#state = state
  }

  overrideFor(subject: Subject, provided: ProvidedOverride): CountingOverride {
    const isOwnOn = (): boolean => this.#evaluator(subject)
    const whose = overrideSource(this.#state, provided, subject, isOwnOn)
    switch (whose) {
      case 'isolated':
      case 'tripped':
        return { on: true, whose, ...this.#scopedFor(subject) }
      case 'provider':
        return { on: provided.on, whose, ...this.#scopedFor(subject) }
      case 'own':
        return { on: isOwnOn(), whose, ...this.#scopedFor(subject) }
    }
  }

  #scopedFor(subject: Subject): Pick<CountingOverride, 'scoped'> {
    const scope = judgedScope(this.#state)
    if (scope === undefined) return {}
    return { scoped: { dimension: scope.dimension, covered: covers(scope, subject) } }
  }

  /** Whether an override is on for the caller, and a silent execution on the runtime does no harm. */
  maySpareShadow(subject: Subject): boolean {
    const { known, isolated } = this.#state
    if (known.auto.state === 'normal' && !isolated) return false
    // Everybody else is on the runtime, and shows nothing of those in the scope.
    if (!covers(judgedScope(this.#state), subject)) return false
    // Who a person took off the runtime is left alone, silently too.
    if (known.manual.scope === 'none') return true
    return known.manual.scope === 'orgs' && !this.#isManual(subject)
  }

  /** Whether no person took the caller off the runtime. */
  mayReturn(subject: Subject): boolean {
    const { manual } = this.#state.known
    return manual.scope === 'none' || (manual.scope === 'orgs' && !this.#isManual(subject))
  }

  #isManual(subject: Subject): boolean {
    const { known } = this.#state
    if (known.auto.state === 'normal') return this.#evaluator(subject)
    return createOverrideEvaluator({ ...known, auto: { state: 'normal' } })(subject)
  }
}
