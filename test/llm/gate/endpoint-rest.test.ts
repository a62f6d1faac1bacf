import { expect } from 'chai'
import fc from 'fast-check'
import {
  afterAnswer,
  afterContent,
  afterFailure,
  afterNothing,
  FAILURES_IN_A_ROW,
  LONGEST_REST_MS,
  permission,
  probed,
  type Rest,
  WORKING,
} from '../../../src/llm/gate/endpoint-rest.js'

const fail = (rest: Rest, now: number, retryAfterMs?: number, probe?: number): Rest =>
  afterFailure(rest, { now, probe, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })

const failures = (count: number, now = 0): Rest => {
  let rest = WORKING
  for (let n = 0; n < count; n++) rest = fail(rest, now)
  return rest
}

describe('the rest of an endpoint', () => {
  it('begins with the fifth failure in a row', () => {
    expect(permission(failures(FAILURES_IN_A_ROW - 1), 0)).to.equal('free')
    const rest = failures(FAILURES_IN_A_ROW)
    expect(permission(rest, 1499)).to.equal('no')
    expect(permission(rest, 4999)).to.equal('early')
    expect(permission(rest, 5000)).to.equal('probe')
  })

  it('does not begin while whole answers come in between, but content alone does not break the row', () => {
    expect(fail(afterAnswer(failures(4)), 0).kind).to.equal('working')
    expect(fail(afterContent(failures(4)), 0).kind).to.equal('resting')
  })

  it('lasts as long as a 429 says, and nobody tries earlier', () => {
    const rest = fail(WORKING, 1000, 7000)
    expect(permission(rest, 7999)).to.equal('no')
    expect(permission(rest, 8000)).to.equal('probe')
  })

  it('ends after 10 min whatever a 429 says', () => {
    expect(permission(fail(WORKING, 0, 86_400_000), 600_000)).to.equal('probe')
  })

  it('is as short as a 429 says, also where failures began it; the longest that was asked for counts', () => {
    const tried = fail(probed(failures(5), 1, 2000), 2000, 1000, 1)
    expect(permission(tried, 2999)).to.equal('no')
    expect(permission(tried, 3000)).to.equal('probe')
    expect(permission(fail(fail(WORKING, 0, 7000), 100, 1000), 6999)).to.equal('no')
  })

  it('doubles with each probe that fails, up to 60 s', () => {
    let rest = failures(5)
    const lengths: number[] = []
    for (let now = 5000, probe = 1; probe <= 6; probe++) {
      rest = fail(probed(rest, probe, now), now, undefined, probe)
      if (rest.kind !== 'resting') throw new Error('it works')
      lengths.push(rest.until - now)
      now = rest.until
    }
    expect(lengths).to.deep.equal([10_000, 20_000, 40_000, 60_000, 60_000, 60_000])
    // An answer forgets how long it rested.
    rest = afterContent(rest)
    for (let n = 0; n < 5; n++) rest = fail(rest, 0)
    expect(rest).to.deep.equal(failures(5))
  })

  it('lets one turn at a time probe, also after one that told nothing', () => {
    const rest = probed(failures(5), 1, 0)
    expect(permission(rest, 9000)).to.equal('no')
    expect(permission(afterNothing(rest, 2), 9000)).to.equal('no')
    expect(permission(afterNothing(rest, 1), 9000)).to.equal('probe')
    expect(permission(afterContent(rest), 9000)).to.equal('free')
  })

  it('is not prolonged by failures of turns that were on their way when it began', () => {
    const rest = failures(5)
    expect(fail(rest, 3000)).to.equal(rest)
    expect(fail(probed(rest, 2, 0), 3000, undefined, 1)).to.deep.equal(probed(rest, 2, 0))
  })

  it('is not prolonged by a try before its time, and the next one comes 1.5 s later', () => {
    const rest = fail(probed(failures(5), 1, 2000), 2100, undefined, 1)
    expect(permission(rest, 3499)).to.equal('no')
    expect(permission(rest, 3500)).to.equal('early')
    expect(permission(rest, 5000)).to.equal('probe')
  })

  it('holds its bounds whatever happens', () => {
    const happening = fc.record({
      after: fc.nat(30_000),
      what: fc.constantFrom('fail', 'asked', 'content', 'answer', 'nothing') as fc.Arbitrary<
        'fail' | 'asked' | 'content' | 'answer' | 'nothing'
      >,
      asProbe: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80 }), (script) => {
        let rest = WORKING
        let now = 0
        let probe = 0
        for (const { after, what, asProbe } of script) {
          now += after
          const allowed = permission(rest, now)
          const mine = asProbe && (allowed === 'probe' || allowed === 'early') ? ++probe : undefined
          if (mine !== undefined) {
            rest = probed(rest, mine, now)
            expect(permission(rest, now)).to.equal('no')
          }
          if (what === 'fail') rest = fail(rest, now, undefined, mine)
          else if (what === 'asked') rest = fail(rest, now, 90_000, mine)
          else if (what === 'content') rest = afterContent(rest)
          else if (what === 'answer') rest = afterAnswer(rest)
          else rest = afterNothing(rest, mine)
          if (what === 'content' || what === 'answer') expect(permission(rest, now)).to.equal('free')
          if (mine !== undefined) expect(rest.kind === 'resting' && rest.probe !== undefined).to.equal(false)
          if (rest.kind === 'resting' && !rest.asked) expect(rest.until - now).to.be.at.most(LONGEST_REST_MS)
          if (what === 'asked') expect(permission(rest, now + 89_999)).to.equal('no')
        }
      }),
    )
  })
})
