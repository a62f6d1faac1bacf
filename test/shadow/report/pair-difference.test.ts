import { expect } from 'chai'
import fc from 'fast-check'
import type { KeptPair, KeptPairSide } from '../../../src/journal/comparison.js'
import { PAIR_SORTS } from '../../../src/protocol/shadow-pairs.js'
import { FirstPairs } from '../../../src/shadow/report/first-pairs.js'
import { differenceOf } from '../../../src/shadow/report/pair-difference.js'

const side = (more: Partial<KeptPairSide> = {}): KeptPairSide => ({
  result: 'ok',
  latencyMs: 1_000,
  characters: 100,
  ...more,
})
const pair = (more: Partial<KeptPair> = {}): KeptPair => ({
  at: 0,
  orgId: 'org-1',
  agentId: 'agent-1',
  controlMode: 'direct_llm',
  control: side(),
  candidate: side(),
  ...more,
})

const share = fc.double({ min: 0, max: 1, noNaN: true })
const anySide: fc.Arbitrary<KeptPairSide> = fc.record(
  {
    result: fc.constantFrom('ok' as const, 'error' as const, 'timeout' as const),
    latencyMs: fc.nat(100_000),
    firstContentMs: fc.nat(100_000),
    tokens: fc.nat(1_000),
    characters: fc.nat(1_000),
  },
  { requiredKeys: ['result', 'latencyMs', 'characters'] },
)
const anyPair: fc.Arbitrary<KeptPair> = fc.record(
  {
    at: fc.nat(1_000),
    orgId: fc.constant('org-1'),
    agentId: fc.constant('agent-1'),
    controlMode: fc.constant('direct_llm' as const),
    control: anySide,
    candidate: anySide,
    textSimilarity: share,
    planSimilarity: share,
    callSetSimilarity: share,
    callOrderSimilarity: share,
  },
  { requiredKeys: ['at', 'orgId', 'agentId', 'controlMode', 'control', 'candidate'] },
)

describe('how far a pair differs', () => {
  it('is 0 for equal sides and 1 where one succeeded and the other did not', () => {
    expect(differenceOf(pair({ textSimilarity: 1 })).difference).to.equal(0)
    const failed = pair({ textSimilarity: 1, candidate: side({ result: 'timeout' }) })
    expect(differenceOf(failed)).to.deep.include({ difference: 1 })
    expect(differenceOf(failed).parts).to.include({ result: 1, text: 0, latency: null })
    const both = { control: side({ result: 'error' }), candidate: side({ result: 'timeout' }) }
    expect(differenceOf(pair(both)).difference).to.equal(0)
  })

  it('is the mean of the parts that are known of both sides', () => {
    const { difference, parts } = differenceOf(
      pair({
        textSimilarity: 0.25,
        control: side({ latencyMs: 1_000, tokens: 10 }),
        candidate: side({ latencyMs: 4_000, characters: 50 }),
      }),
    )
    expect(parts).to.deep.equal({
      result: 0,
      text: 0.75,
      plan: null,
      calls: null,
      callOrder: null,
      latency: 0.75,
      firstContent: null,
      length: 0.5,
      tokens: null,
    })
    expect(difference).to.equal((0 + 0.75 + 0.75 + 0.5) / 4)
  })

  it('lies between 0 and 1, and is the same with the sides changed over', () => {
    fc.assert(
      fc.property(anyPair, (one) => {
        const { difference, parts } = differenceOf(one)
        for (const value of [difference, ...Object.values(parts)])
          if (value !== null) expect(value).to.be.within(0, 1)
        const other = differenceOf({ ...one, control: one.candidate, candidate: one.control })
        expect(other).to.deep.equal({ difference, parts })
      }),
    )
  })
})

describe('the first pairs of an order', () => {
  it('are those that sorting all of them would give', () => {
    fc.assert(
      fc.property(
        fc.array(anyPair, { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.constantFrom(...PAIR_SORTS),
        (all, limit, sort) => {
          const first = new FirstPairs(sort, limit)
          for (const one of all) first.add(one)
          const ranks = (pairs: readonly KeptPair[]) =>
            pairs.map((one) => (sort === 'newest' ? [one.at] : [differenceOf(one).difference, one.at]))
          const sorted = [...all].sort((a, b) => {
            const byDifference = differenceOf(b).difference - differenceOf(a).difference
            return sort === 'newest' ? b.at - a.at : byDifference || b.at - a.at
          })
          expect(first.compared).to.equal(all.length)
          expect(ranks(first.pairs().map((ranked) => ranked.pair))).to.deep.equal(
            ranks(sorted.slice(0, limit)),
          )
        },
      ),
    )
  })
})
