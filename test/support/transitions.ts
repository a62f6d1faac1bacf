import fc from 'fast-check'
import type { Transition } from '../../src/journal/journal.js'
import {
  FALLBACK_STATES,
  fallbackCauseSchema,
  MANUAL_SCOPES,
  TRANSITION_KINDS,
} from '../../src/protocol/fallback.js'
import { SCOPE_DIMENSIONS, scopeOf } from '../../src/protocol/fallback-scope.js'
import { codePoint } from './code-point.js'

/** A trip by error rate, but for what the test says. */
export const sampleTransition = (more: Partial<Transition> = {}): Transition => ({
  at: Date.UTC(2026, 0, 1),
  from: 'normal',
  to: 'fallback',
  manualFrom: 'none',
  manualTo: 'none',
  actor: 'auto',
  replica: 'replica-a',
  cause: 'error_rate',
  value: 0.55,
  threshold: 0.5,
  trips: 1,
  holdUntil: Date.UTC(2026, 0, 1, 0, 0, 30),
  revision: 7,
  ...more,
})

/** Anything the type allows. */
export const anyTransition: fc.Arbitrary<Transition> = fc.record(
  {
    at: fc.double({ noNaN: false }),
    kind: fc.constantFrom(...TRANSITION_KINDS),
    from: fc.constantFrom(...FALLBACK_STATES),
    to: fc.constantFrom(...FALLBACK_STATES),
    scope: fc
      .tuple(
        fc.constantFrom(...SCOPE_DIMENSIONS),
        fc.array(fc.string({ unit: codePoint }), { minLength: 1, maxLength: 20 }),
      )
      .map(([dimension, ids]) => scopeOf(dimension, ids)),
    manualFrom: fc.constantFrom(...MANUAL_SCOPES),
    manualTo: fc.constantFrom(...MANUAL_SCOPES),
    actor: fc.constantFrom('auto' as const, 'manual' as const),
    replica: fc.string({ unit: codePoint }),
    userId: fc.string({ unit: codePoint }),
    cause: fc.constantFrom(...fallbackCauseSchema.options),
    value: fc.double({ noNaN: true, noDefaultInfinity: true }),
    threshold: fc.double({ noNaN: true, noDefaultInfinity: true }),
    reason: fc.string({ unit: codePoint, maxLength: 1_000 }),
    trips: fc.nat(),
    holdUntil: fc.double(),
    recoveringPercent: fc.integer({ min: 0, max: 100 }),
    revision: fc.nat(),
    evidence: fc.jsonValue(),
    guardrails: fc.jsonValue(),
  },
  {
    requiredKeys: ['at', 'from', 'to', 'manualFrom', 'manualTo', 'actor', 'replica', 'trips', 'revision'],
  },
)
