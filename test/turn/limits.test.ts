import { expect } from 'chai'
import fc from 'fast-check'
import { createRateLimiter } from '../../src/turn/rate-limit.js'
import { errorOf } from '../support/answers.js'
import { postTurn, readTurn, startTurn } from '../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { manualClock } from '../support/manual-clock.js'
import { postCompletion } from '../support/openai.js'
import { hanging } from '../support/scripted-backend.js'
import { until } from '../support/until.js'

const start = async (edge: Edge, user = 'user-1') => {
  const response = await postTurn(edge.url, await bearer({ sub: user }), 'start', {
    agentId: 'a',
    message: 'Hi',
  })
  return { response, retryAfter: response.headers.get('retry-after') }
}

describe('the turns of a user in a minute', () => {
  it('are limited with 429 and the seconds to wait, for each user alone', async () => {
    const edge = await startEdge({ turnsPerMinute: 2 })
    for (const _turn of [1, 2]) expect((await readTurn((await start(edge)).response)).status).to.equal(200)
    const { response, retryAfter } = await start(edge)
    expect(response.status).to.equal(429)
    expect((await errorOf(response)).code).to.equal('rate_limited')
    expect(Number(retryAfter)).to.be.within(1, 30)
    expect((await readTurn((await start(edge, 'user-2')).response)).status).to.equal(200)
    await edge.close()
  })

  it('are told with each answer, before the limit and at it', async () => {
    const edge = await startEdge({ turnsPerMinute: 2 })
    const told = (headers: Headers) =>
      ['policy', 'limit', 'remaining'].map((name) => headers.get(`ratelimit-${name}`))
    const [first, second, third] = [await start(edge), await start(edge), await start(edge)]
    expect(told(first.response.headers)).to.deep.equal(['2;w=60', '2', '1'])
    expect(told(second.response.headers)).to.deep.equal(['2;w=60', '2', '0'])
    expect(third.response.status).to.equal(429)
    expect(told(third.response.headers)).to.deep.equal(['2;w=60', '2', '0'])
    expect(Number(third.response.headers.get('ratelimit-reset'))).to.be.within(Number(third.retryAfter), 60)
    const openAi = await postCompletion(edge.url, await bearer({ sub: 'user-2' }))
    expect(told(openAi.headers)).to.deep.equal(['2;w=60', '2', '1'])
    for (const { response } of [first, second, third]) await response.text()
    await edge.close()
    const unlimited = await startEdge()
    const { response } = await start(unlimited)
    expect(told(response.headers)).to.deep.equal([null, null, null])
    await response.text()
    await unlimited.close()
  })

  it('come back evenly over the minute', () => {
    const clock = manualClock()
    const limiter = createRateLimiter(6, clock)
    for (let turn = 0; turn < 6; turn += 1) expect(limiter.take('a')).to.equal(0)
    expect(limiter.take('a')).to.equal(10)
    clock.advance(9_000)
    expect(limiter.take('a')).to.equal(1)
    clock.advance(1_000)
    expect(limiter.take('a')).to.equal(0)
    expect(limiter.take('a')).to.equal(10)
  })

  it('never exceed the bucket and its refill, whatever the rhythm, and the told wait is enough', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 60 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), steps, (perMinute, waits) => {
        const clock = manualClock()
        const limiter = createRateLimiter(perMinute, clock)
        let taken = 0
        for (const wait of waits) {
          clock.advance(wait)
          const seconds = limiter.take('a')
          if (seconds === 0) taken += 1
          expect(taken).to.be.at.most(perMinute + (clock.monotonic() / 60_000) * perMinute + 1e-6)
        }
        const seconds = limiter.take('a')
        clock.advance(seconds * 1000)
        if (seconds > 0) expect(limiter.take('a')).to.equal(0)
      }),
      { numRuns: 100 },
    )
  })

  it('do not fill the memory: the least recently seen users are forgotten', () => {
    const clock = manualClock()
    const limiter = createRateLimiter(1, clock)
    for (let user = 0; user <= 10_000; user += 1) limiter.take(`user-${user}`)
    expect(limiter.take('user-10000')).to.be.greaterThan(0)
    expect(limiter.take('user-0')).to.equal(0)
  })
})

describe('new turns', () => {
  it('are refused with 503 above the open streams allowed, and taken again below', async () => {
    const edge = await startEdge({ maxStreams: 1, backends: { direct_llm: hanging('direct_llm', 'Hello') } })
    const first = (await start(edge)).response
    const { response, retryAfter } = await start(edge)
    expect([response.status, retryAfter]).to.deep.equal([503, '1'])
    expect((await errorOf(response)).code).to.equal('overloaded')
    await first.body?.cancel()
    await until('the place to be free', () => edge.turns.count === 0)
    const again = (await start(edge)).response
    expect(again.status).to.equal(200)
    await again.body?.cancel()
    await edge.close()
  })

  it('are refused with 503 while the service starts or drains; the rest is answered', async () => {
    const edge = await startEdge()
    const { sessionId } = await startTurn(edge.url, await bearer())
    for (const [state, retryAfter] of [
      ['starting', '1'],
      ['draining', '5'],
    ] as const) {
      edge.state = state
      const refused = await start(edge)
      expect([refused.response.status, refused.retryAfter]).to.deep.equal([503, retryAfter])
      expect((await errorOf(refused.response)).code).to.equal(state)
      const history = await fetch(`${edge.url}/api/v1/chat/sessions/${sessionId}`, {
        headers: { authorization: await bearer() },
      })
      expect(history.status).to.equal(200)
    }
    await edge.close()
  })
})
