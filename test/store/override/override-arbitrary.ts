import fc from 'fast-check'
import { fallbackCauseSchema } from '../../../src/protocol/fallback.js'
import { type Scope, type ScopeDimension, scopeOf } from '../../../src/protocol/fallback-scope.js'
import type {
  AutoLayer,
  ManualLayer,
  ManualTarget,
  Override,
  Trip,
} from '../../../src/store/override/override.js'
import { testRuns } from '../../support/test-runs.js'

export const propertyRuns = (usual: number): { numRuns: number } => ({
  numRuns: testRuns(usual),
})

const instant = fc.integer({ min: 0, max: 4_102_444_800_000 })
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const trip: fc.Arbitrary<Trip> = fc.record({
  cause: fc.constantFrom(...fallbackCauseSchema.options),
  value: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
  threshold: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
})

/** Agents and orgs that tests ask for, so that layers hit them often; some have odd names. */
const PLAIN_AGENTS = ['assistant', 'analyst', 'a%2Cb'] as const
const PLAIN_ORGS = ['acme', 'globex', 'initech', '机构'] as const
const anyAgent = fc.constantFrom(...PLAIN_AGENTS, 'a,b%2C', '')
const anyOrg = fc.constantFrom(...PLAIN_ORGS, '')

interface Names {
  readonly org: fc.Arbitrary<string>
  readonly agent: fc.Arbitrary<string>
  readonly other: fc.Arbitrary<string>
  several(org: fc.Arbitrary<string>, most: number): fc.Arbitrary<string[]>
}

/** Overrides with such names. */
function overridesOf({ org, agent, other, several }: Names) {
  const scoped = (dimension: ScopeDimension, one: fc.Arbitrary<string>) =>
    fc.array(fc.oneof(one, other), { minLength: 1, maxLength: 21 }).map((ids) => scopeOf(dimension, ids))
  const scope: fc.Arbitrary<Scope> = fc.oneof(scoped('orgs', org), scoped('agents', agent))

  const anyAuto: fc.Arbitrary<AutoLayer> = fc.oneof(
    fc.constant({ state: 'normal' } as const),
    fc.record(
      { state: fc.constant('fallback' as const), trip, since: instant, scope, holdUntil: instant },
      { requiredKeys: ['state', 'trip', 'since', 'holdUntil'] },
    ),
    fc.record(
      {
        state: fc.constant('recovering' as const),
        trip,
        since: instant,
        scope,
        percent: fc.integer({ min: 0, max: 100 }),
      },
      { requiredKeys: ['state', 'trip', 'since', 'percent'] },
    ),
  )

  const leaf = fc.constantFrom('on', 'off', null)
  /** Rules as a person writes them: they yield `on`, `off` or nothing. */
  const anyRule: fc.Arbitrary<object> = fc.oneof(
    fc
      .tuple(several(org, 3), leaf, leaf)
      .map(([orgs, then, others]) => ({ if: [{ in: [{ var: 'orgId' }, orgs] }, then, others] })),
    fc.tuple(org, leaf).map(([one, then]) => ({ if: [{ '===': [{ var: ['orgId'] }, one] }, then] })),
    fc.integer({ min: 0, max: 100 }).map((share) => ({
      fractional: [
        ['on', share],
        ['off', 100 - share],
      ],
    })),
    fc.tuple(org, fc.integer({ min: 0, max: 100 })).map(([one, share]) => ({
      if: [
        { starts_with: [{ var: 'orgId' }, one] },
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

  const target: fc.Arbitrary<ManualTarget> = fc.oneof(
    fc.record({ kind: fc.constant('orgs' as const), orgIds: several(org, 4) }),
    fc.record({
      kind: fc.constant('rule' as const),
      rule: anyRule,
      otherwise: fc.constantFrom('on' as const, 'off' as const),
    }),
  )

  const manual: fc.Arbitrary<ManualLayer> = fc.oneof(
    fc.constant({ scope: 'none' } as const),
    fc.record(
      { scope: fc.constant('all' as const), reason: text, until: instant },
      { requiredKeys: ['scope', 'reason'] },
    ),
    fc.record(
      { scope: fc.constant('orgs' as const), target, reason: text, until: instant },
      { requiredKeys: ['scope', 'target', 'reason'] },
    ),
  )

  const anyOverride: fc.Arbitrary<Override> = fc.record(
    {
      auto: anyAuto,
      manual,
      trips: fc.nat(50),
      evidenceSince: instant,
      revision: fc.nat(),
      replica: text,
      actor: fc.constantFrom('auto' as const, 'manual' as const),
      updatedAt: instant,
    },
    { requiredKeys: ['auto', 'manual', 'trips', 'revision', 'actor'] },
  )
  return { anyAuto, anyRule, anyOverride }
}

export const { anyAuto, anyRule, anyOverride } = overridesOf({
  org: anyOrg,
  agent: anyAgent,
  other: text,
  several: (org, most) => fc.array(org, { maxLength: most }),
})

/** Without what our own check calls odd: empty names, blanks, commas, one name twice. */
export const { anyOverride: plainOverride } = overridesOf({
  org: fc.constantFrom(...PLAIN_ORGS),
  agent: fc.constantFrom(...PLAIN_AGENTS),
  other: text.map((name) => name.replace(/[\s,;]/g, '')).filter((name) => name !== ''),
  several: (org, most) => fc.uniqueArray(org, { maxLength: most }),
})

export const anySubject = fc.record({
  orgId: anyOrg,
  userId: fc.constantFrom('user-1', 'user-2'),
  agentId: anyAgent,
  sessionId: fc.uuid(),
})
