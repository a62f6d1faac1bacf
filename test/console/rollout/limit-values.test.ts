import { expect } from 'chai'
import fc from 'fast-check'
import {
  LEAST_WEIGHT,
  LIMIT_FIELDS,
  limitFault,
  limitsEdit,
  limitTexts,
  MOST_WEIGHT,
  weightsOnTop,
} from '../../../src/console/rollout/limit-values.js'
import { chatLimitsSchema } from '../../../src/limits/chat-limits.js'

describe('the limits in a form', () => {
  it('are all limits of the flag, with its bounds', () => {
    const known = Object.keys(chatLimitsSchema.shape)
    expect([...LIMIT_FIELDS.map(({ name }) => name), 'weights']).to.have.members(known)
    for (const { name, least, most, empty } of LIMIT_FIELDS) {
      const isTaken = (value: unknown): boolean => chatLimitsSchema.safeParse({ [name]: value }).success
      for (const value of [least, most, least - 1, most + 1, 0.5])
        expect(limitFault(name, String(value)) === undefined, `${name} ${value}`).to.equal(isTaken(value))
      expect(limitFault(name, '') === undefined, name).to.equal(isTaken(null))
      if (empty === 'required') expect(isTaken(null)).to.equal(false)
    }
    for (const weight of [LEAST_WEIGHT, MOST_WEIGHT, LEAST_WEIGHT / 2, MOST_WEIGHT + 1])
      expect(limitFault('weights', `acme = ${weight}`) === undefined, String(weight)).to.equal(
        chatLimitsSchema.safeParse({ weights: { acme: weight } }).success,
      )
    expect(limitTexts(null)).to.deep.equal(limitTexts(chatLimitsSchema.parse({})))
  })

  it('say what is wrong with a line of shares', () => {
    expect(limitFault('weights', 'acme = 3\n\n=x= 0.5')).to.equal(undefined)
    for (const line of ['acme', '= 3', 'acme = three', 'acme = -1', 'acme = 1e3', 'acme ='])
      expect(limitFault('weights', line), line).to.deep.equal({ kind: 'line', line })
    expect(limitFault('weights', 'a = 1\na = 2')).to.deep.equal({ kind: 'twice', line: 'a = 2' })
    expect(limitFault('weights', 'a = 0')).to.deep.equal({ kind: 'weight', line: 'a = 0' })
  })

  it('change nothing where the file already says so, and give what the flag takes', () => {
    const limits = fc.record({
      maxStreams: fc.option(fc.integer({ min: 1, max: 1_000_000 })),
      streamsPerOrg: fc.option(fc.nat(1_000_000)),
      weights: fc.dictionary(
        fc.string({ minLength: 1, maxLength: 20 }).filter((org) => org.trim() === org && !/[\n\r]/.test(org)),
        fc.integer({ min: 1, max: 100_000 }).map((hundredths) => hundredths / 100),
      ),
    })
    fc.assert(
      fc.property(limits, limits, (before, now) => {
        const [a, b] = [limitTexts(before), limitTexts(now)]
        expect(limitsEdit(a, a)).to.deep.equal({ kind: 'limits', limits: {} })
        const edit = limitsEdit(a, b)
        if (edit.kind === 'fault') throw new Error(edit.field)
        const { weights = {}, ...rest } = edit.limits
        const made: Record<string, unknown> = { ...before.weights, ...(weights as object) }
        const merged = {
          ...before,
          ...rest,
          weights: Object.fromEntries(Object.entries(made).filter(([, weight]) => weight !== null)),
        }
        expect(chatLimitsSchema.parse(merged)).to.deep.equal(chatLimitsSchema.parse(now))
      }),
    )
  })

  it('keep a text of shares that cannot be, whatever somebody else has written', () => {
    expect(weightsOnTop('', 'globex = 2', 'acme')).to.equal('acme')
  })
})
