import fc from 'fast-check'
import { fallbackCauseSchema } from '../../../src/protocol/fallback.js'
import { type Scope, scopeOf } from '../../../src/protocol/fallback-scope.js'
import type {
  AutoLayer,
  ManualLayer,
  ManualTarget,
  Override,
  Trip,
} from '../../../src/store/override/override.js'

/** `PROPERTY_RUNS` holds the properties of this room to longer runs. */
export const propertyRuns = (usual: number): { numRuns: number } => ({
  numRuns: Number(process.env.PROPERTY_RUNS ?? usual),
})

const instant = fc.integer({ min: 0, max: 4_102_444_800_000 })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const trip: fc.Arbitrary<Trip> = fc.record({
  cause: fc.constantFrom(...fallbackCauseSchema.options),
  value: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
  threshold: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
})

/** Agents that tests ask for. */
export const anyAgent = fc.constantFrom('assistant', 'analyst', 'a,b%2C', '')

export const anyScope: fc.Arbitrary<Scope> = fc.oneof(
  fc
    .array(fc.oneof(fc.constantFrom('acme', 'globex', '机构', ''), text), { minLength: 1, maxLength: 21 })
    .map((ids) => scopeOf('orgs', ids)),
  fc.array(fc.oneof(anyAgent, text), { minLength: 1, maxLength: 21 }).map((ids) => scopeOf('agents', ids)),
)

export const anyAuto: fc.Arbitrary<AutoLayer> = fc.oneof(
  fc.constant({ state: 'normal' } as const),
  fc.record(
    { state: fc.constant('fallback' as const), trip, since: instant, scope: anyScope, holdUntil: instant },
    { requiredKeys: ['state', 'trip', 'since', 'holdUntil'] },
  ),
  fc.record(
    {
      state: fc.constant('recovering' as const),
      trip,
      since: instant,
      scope: anyScope,
      percent: fc.integer({ min: 0, max: 100 }),
    },
    { requiredKeys: ['state', 'trip', 'since', 'percent'] },
  ),
)

/** Orgs that tests ask for, so that layers hit them often. */
export const anyOrg = fc.constantFrom('acme', 'globex', 'initech', '机构', '')

const leaf = fc.constantFrom('on', 'off', null)
/** Rules as a person writes them: they yield `on`, `off` or nothing. */
export const anyRule: fc.Arbitrary<object> = fc.oneof(
  fc
    .tuple(fc.array(anyOrg, { maxLength: 3 }), leaf, leaf)
    .map(([orgs, then, others]) => ({ if: [{ in: [{ var: 'orgId' }, orgs] }, then, others] })),
  fc.tuple(anyOrg, leaf).map(([org, then]) => ({ if: [{ '===': [{ var: ['orgId'] }, org] }, then] })),
  fc.integer({ min: 0, max: 100 }).map((share) => ({
    fractional: [
      ['on', share],
      ['off', 100 - share],
    ],
  })),
  fc.tuple(anyOrg, fc.integer({ min: 0, max: 100 })).map(([org, share]) => ({
    if: [
      { starts_with: [{ var: 'orgId' }, org] },
      {
        fractional: [
          { cat: [{ var: '$flagd.flagKey' }, { var: 'userId' }] },
          ['on', share],
          ['off', 100 - share],
        ],
      },
      null,
    ],
  })),
)

export const anyTarget: fc.Arbitrary<ManualTarget> = fc.oneof(
  fc.record({ kind: fc.constant('orgs' as const), orgIds: fc.array(anyOrg, { maxLength: 4 }) }),
  fc.record({
    kind: fc.constant('rule' as const),
    rule: anyRule,
    otherwise: fc.constantFrom('on' as const, 'off' as const),
  }),
)

export const anyManual: fc.Arbitrary<ManualLayer> = fc.oneof(
  fc.constant({ scope: 'none' } as const),
  fc.record(
    { scope: fc.constant('all' as const), reason: text, until: instant },
    { requiredKeys: ['scope', 'reason'] },
  ),
  fc.record(
    { scope: fc.constant('orgs' as const), target: anyTarget, reason: text, until: instant },
    { requiredKeys: ['scope', 'target', 'reason'] },
  ),
)

export const anyOverride: fc.Arbitrary<Override> = fc.record(
  {
    auto: anyAuto,
    manual: anyManual,
    trips: fc.nat(50),
    evidenceSince: instant,
    revision: fc.nat(),
    replica: text,
    actor: fc.constantFrom('auto' as const, 'manual' as const),
    updatedAt: instant,
  },
  { requiredKeys: ['auto', 'manual', 'trips', 'revision', 'actor'] },
)

export const anySubject = fc.record({
  orgId: anyOrg,
  userId: fc.constantFrom('user-1', 'user-2'),
  agentId: anyAgent,
  sessionId: fc.uuid(),
})
