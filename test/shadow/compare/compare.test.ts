import { expect } from 'chai'
import fc from 'fast-check'
import { compare } from '../../../src/shadow/compare/compare.js'
import type { Observation } from '../../../src/shadow/compare/observation.js'
import {
  COMPARED_CHARACTERS,
  COMPARED_TOKENS,
  orderSimilarity,
  setSimilarity,
  textSimilarity,
} from '../../../src/shadow/compare/similarity.js'

const observed = (overrides: Partial<Observation> = {}): Observation => ({
  mode: 'direct_llm',
  result: 'ok',
  latencyMs: 1_000,
  text: '',
  characters: 0,
  steps: [],
  calls: [],
  ...overrides,
})

const words = fc.array(fc.constantFrom('run', 'time', 'is', 'slow', '运', '行', '时', 'ไทย', '3', '€'), {
  maxLength: 30,
})
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  words.map((list) => list.join(' ')),
)
const calls = fc.array(fc.constantFrom('tool:search', 'tool:read', 'skill:plan', 'mcp:git/log'), {
  maxLength: 12,
})

describe('the similarity of two texts', () => {
  const cases: [a: string, b: string, similarity: number][] = [
    ['The run-time is slow.', 'the run time IS slow', 1],
    ['Yes', 'Yes!', 1],
    ['Yes', 'No', 0],
    // one word of three is put in
    ['good day', 'good day you', 2 / 3],
    ['we met at noon', 'at noon we met', 0],
    ['今天天气很好', '今天天气很好。', 1],
    // one character of six is another
    ['今天天气很好', '今天天气不好', 5 / 6],
    ['用GPT写', '用 gpt 写', 1],
    ['ＡＢＣ １２３', 'abc 123', 1],
    ['...', '!!!', 0],
    ['...', 'word', 0],
    // the minus is punctuation
    ['a + b', 'a - b', 2 / 3],
    ['👍', '👍', 1],
    ['👍', '👎', 0],
  ]
  for (const [a, b, similarity] of cases)
    it(`of ${a} and ${b}`, () => {
      expect(textSimilarity(a, b)).to.be.closeTo(similarity, 1e-9)
    })

  it('is symmetric, 0 to 1, and 1 for equal ones', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const similarity = textSimilarity(a, b)
        expect(similarity).to.be.within(0, 1)
        expect(textSimilarity(b, a)).to.equal(similarity)
        expect(textSimilarity(a, a)).to.equal(1)
      }),
      { numRuns: 300 },
    )
  })

  it('is 0 without a common token', () => {
    const left = fc.array(fc.constantFrom('one', 'two', '三'), { minLength: 1, maxLength: 20 })
    const right = fc.array(fc.constantFrom('four', 'five', '六'), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(left, right, (a, b) => {
        expect(textSimilarity(a.join(' '), b.join(' '))).to.equal(0)
      }),
      { numRuns: 200 },
    )
  })

  it('falls as more of the words differ', () => {
    const of = (changed: number): string =>
      Array.from({ length: 40 }, (_, at) => (at < changed ? `other${at}` : `word${at}`)).join(' ')
    const row = [0, 5, 10, 20, 40].map((changed) => textSimilarity(of(0), of(changed)))
    expect(row).to.deep.equal([...row].sort((a, b) => b - a))
    expect([row[0], row[4]]).to.deep.equal([1, 0])
    expect(new Set(row).size).to.equal(5)
  })

  it('looks at a bounded part, whatever that is made of', () => {
    const head = '长文本里的词 with words '.repeat(600).slice(0, COMPARED_CHARACTERS)
    expect(textSimilarity(`${head} one end`, `${head} quite another end`)).to.equal(1)
    // NFKC makes eighteen characters of each: the rest is behind the bound.
    const folded = '\ufdfa'.repeat(COMPARED_CHARACTERS / 16)
    expect(textSimilarity(`${folded} one end`, `${folded} quite another end`)).to.equal(1)
    const tokens = '词'.repeat(COMPARED_TOKENS)
    expect(textSimilarity(`${tokens}一`, `${tokens}二三`)).to.equal(1)
    expect(textSimilarity(`一${tokens}`, `二${tokens}`)).to.be.below(1)
  })

  it('normalizes and searches no more than that, however long the texts are', () => {
    for (const long of ['长文本里的词 with words ', '\ufdfa', '\u0301'].map((part) => part.repeat(60_000))) {
      const sizes = sizesOfWork(() => textSimilarity(long, `a${long}`))
      expect(sizes).to.have.length(4)
      expect(Math.max(...sizes)).to.be.at.most(COMPARED_CHARACTERS)
    }
  })
})

describe('the similarity of calls', () => {
  it('is what the textbook says, however long they are', () => {
    const long = fc.array(fc.integer({ min: 0, max: 7 }).map(String), { maxLength: 200 })
    fc.assert(
      fc.property(long, long, (a, b) => {
        const longer = Math.max(a.length, b.length)
        const expected = longer === 0 ? 1 : 1 - editDistance(a, b) / longer
        expect(orderSimilarity(a, b)).to.be.closeTo(expected, 1e-9)
      }),
      { numRuns: 200 },
    )
  })

  it('counts what was called, and in which order', () => {
    expect(setSimilarity(['a', 'b', 'b'], ['b', 'a'])).to.equal(1)
    expect(setSimilarity(['a', 'b'], ['b', 'c'])).to.equal(0.5)
    expect(orderSimilarity(['a', 'b', 'c'], ['c', 'b', 'a'])).to.be.closeTo(1 / 3, 1e-9)
    expect(orderSimilarity(['a', 'b', 'c'], ['a', 'c'])).to.be.closeTo(2 / 3, 1e-9)
    expect(orderSimilarity([], [])).to.equal(1)
    expect(setSimilarity([], ['a'])).to.equal(0)
  })

  it('is symmetric, 0 to 1, 1 for equal ones; the order says no more than the multiset', () => {
    fc.assert(
      fc.property(calls, calls, (a, b) => {
        for (const measure of [setSimilarity, orderSimilarity]) {
          expect(measure(a, b)).to.be.within(0, 1).and.to.equal(measure(b, a))
          expect(measure(a, a)).to.equal(1)
        }
        expect(setSimilarity(a, [...a].reverse())).to.equal(1)
        if (setSimilarity(a, b) === 0) expect(orderSimilarity(a, b)).to.equal(0)
      }),
      { numRuns: 300 },
    )
  })

  it('looks at a bounded number of them', () => {
    const same = Array.from({ length: COMPARED_TOKENS }, (_, at) => `tool:${at}`)
    expect(orderSimilarity([...same, 'x'], [...same, 'y'])).to.equal(1)
  })
})

describe('comparing two sides', () => {
  it('says nothing of what neither side did, and 0 of what one did', () => {
    expect(compare(observed(), observed())).to.deep.equal({})
    expect(compare(observed({ text: 'words' }), observed({ text: ' \n' }))).to.deep.equal({})
    expect(
      compare(observed({ text: 'a b' }), observed({ text: 'a b', steps: ['look'], calls: ['tool:look'] })),
    ).to.deep.equal({
      textSimilarity: 1,
      planSimilarity: 0,
      callSetSimilarity: 0,
      callOrderSimilarity: 0,
    })
  })

  it('compares the titles of plans as texts', () => {
    const plan = (...steps: string[]): Observation => observed({ steps })
    expect(compare(plan('查找资料', '写报告'), plan('查找资料', '写报告')).planSimilarity).to.equal(1)
    expect(compare(plan('查找资料', '写报告'), plan('查找资料', '写总结')).planSimilarity).to.be.within(
      0.5,
      0.9,
    )
  })

  it('tells the steps of a plan apart', () => {
    expect(
      compare(observed({ steps: ['look', 'write'] }), observed({ steps: ['lookwrite'] })).planSimilarity,
    ).to.equal(0)
  })

  it('is symmetric', () => {
    const side = fc
      .record({ text, steps: fc.array(text, { maxLength: 4 }), calls })
      .map((given) => observed(given))
    fc.assert(
      fc.property(side, side, (control, candidate) => {
        expect(compare(control, candidate)).to.deep.equal(compare(candidate, control))
      }),
      { numRuns: 200 },
    )
  })
})

/** Levenshtein's distance, cell by cell. */
function editDistance(a: readonly string[], b: readonly string[]): number {
  let above = b.map((_, at) => at + 1)
  for (const [at, item] of a.entries()) {
    let left = at + 1
    let corner = at
    above = above.map((up, to) => {
      left = Math.min(left + 1, up + 1, corner + (item === b[to] ? 0 : 1))
      corner = up
      return left
    })
  }
  return above.at(-1) ?? a.length
}

/** Lengths of the texts that are normalized or searched meanwhile: what the work costs, on any machine. */
function sizesOfWork(run: () => void): number[] {
  const { normalize, match } = String.prototype
  const sizes: number[] = []
  Object.assign(String.prototype, {
    normalize(this: string, form: string) {
      sizes.push(this.length)
      return normalize.call(this, form)
    },
    match(this: string, search: RegExp) {
      sizes.push(this.length)
      return match.call(this, search)
    },
  })
  try {
    run()
  } finally {
    Object.assign(String.prototype, { normalize, match })
  }
  return sizes
}
