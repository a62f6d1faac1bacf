import { expect } from 'chai'
import { errorOf } from '../support/answers.js'
import { postTurn, readTurn, startTurn } from '../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../support/edge.js'
import { postCompletion } from '../support/openai.js'
import { hanging } from '../support/scripted-backend.js'
import { unhurriedClock } from '../support/unhurried-clock.js'
import { until } from '../support/until.js'

const start = async (edge: Edge, user = 'user-1', org = 'org-1') => {
  const response = await postTurn(edge.url, await bearer({ sub: user, org_id: org }), 'start', {
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

describe('the open streams of a user and an org', () => {
  const busy = { direct_llm: hanging('direct_llm', 'Hello') }

  it('are limited with 429, for each user and org alone, and one that ends makes room', async () => {
    const edge = await startEdge({ limits: { streamsPerUser: 1, streamsPerOrg: 2 }, backends: busy })
    const first = await start(edge)
    expect(first.response.status).to.equal(200)
    const refused = await start(edge)
    expect([refused.response.status, refused.retryAfter]).to.deep.equal([429, '5'])
    expect(await errorOf(refused.response)).to.include({ code: 'rate_limited' })
    expect((await start(edge, 'user-2')).response.status).to.equal(200)
    expect((await start(edge, 'user-3')).response.status).to.equal(429)
    expect((await start(edge, 'user-1', 'org-2')).response.status).to.equal(200)
    expect(edge.refusals).to.deep.equal(['user_streams', 'org_streams'])
    await first.response.body?.cancel()
    await until('the stream to be over', () => edge.turns.count === 2)
    expect((await start(edge, 'user-3')).response.status).to.equal(200)
    await edge.close()
  })

  it('count readers apart from turns: a client that comes back is not refused for its own turn', async () => {
    const edge = await startEdge({
      limits: { streamsPerUser: 1 },
      backends: busy,
      reconnectGraceMs: 5_000,
    })
    const { response } = await start(edge)
    const read = async () =>
      fetch(`${edge.url}/api/v1/chat/streams/${response.headers.get('x-chat-stream-id')}`, {
        headers: { authorization: await bearer() },
      })
    const reader = await read()
    expect(reader.status).to.equal(200)
    expect((await read()).status).to.equal(429)
    await reader.body?.cancel()
    await edge.close()
  })

  it('are refused in the same way while the metrics are broken', async () => {
    const broken = () => {
      throw new Error('the metric broke')
    }
    const edge = await startEdge({
      limits: { streamsPerUser: 1 },
      backends: busy,
      metrics: { recordRefusal: broken },
    })
    await start(edge)
    expect((await start(edge)).response.status).to.equal(429)
    await edge.close()
  })

  it('may differ by org, and follow the flag at once', async () => {
    let most = 1
    const edge = await startEdge({
      limitsFor: (org) => (org === 'org-1' ? { streamsPerOrg: most } : {}),
      backends: busy,
    })
    await start(edge)
    expect((await start(edge)).response.status).to.equal(429)
    for (const _turn of [1, 2]) expect((await start(edge, 'user-1', 'org-2')).response.status).to.equal(200)
    most = 2
    expect((await start(edge)).response.status).to.equal(200)
    await edge.close()
  })
})

describe('the starts of an org in a minute', () => {
  it('are limited with 429 for all its users together, and the refusing limit is told first', async () => {
    const edge = await startEdge({ limits: { startsPerMinutePerUser: 10, startsPerMinutePerOrg: 2 } })
    for (const user of ['user-1', 'user-2']) await (await start(edge, user)).response.text()
    const { response, retryAfter } = await start(edge, 'user-3')
    expect([response.status, retryAfter]).to.deep.equal([429, '30'])
    expect(response.headers.get('ratelimit-policy')).to.equal('2;w=60, 10;w=60')
    for (const name of ['ratelimit', 'x-ratelimit'])
      expect(['limit', 'remaining'].map((what) => response.headers.get(`${name}-${what}`))).to.deep.equal([
        '2',
        '0',
      ])
    expect((await start(edge, 'user-1', 'org-2')).response.status).to.equal(200)
    expect(edge.refusals).to.deep.equal(['org_rate'])
    await edge.close()
  })

  it('0 lifts the limit of the environment, and null leaves it', async () => {
    for (const [startsPerMinutePerUser, status] of [
      [0, 200],
      [null, 429],
    ] as const) {
      const edge = await startEdge({ turnsPerMinute: 1, limits: { startsPerMinutePerUser } })
      await (await start(edge)).response.text()
      expect((await start(edge)).response.status).to.equal(status)
      await edge.close()
    }
  })
})

describe('the tokens of an org in a day', () => {
  it('end with 429 quota_exceeded until the next day, and those of another org do not count', async () => {
    const edge = await startEdge({ limits: { tokensPerDayPerOrg: 5 } })
    const first = await start(edge)
    expect(first.response.headers.get('ratelimit-policy')).to.equal('5;w=86400')
    await first.response.text()
    await until('the turn to be over', () => edge.turns.count === 0)
    const { response, retryAfter } = await start(edge, 'user-2')
    expect(response.status).to.equal(429)
    expect(await errorOf(response)).to.include({ code: 'quota_exceeded' })
    expect(Number(retryAfter)).to.be.within(1, 86_400)
    expect(response.headers.get('x-ratelimit-remaining')).to.equal('0')
    expect((await start(edge, 'user-1', 'org-2')).response.status).to.equal(200)
    const openAi = await postCompletion(edge.url, await bearer())
    expect(openAi.status).to.equal(429)
    expect(await openAi.json()).to.have.nested.property('error.code', 'insufficient_quota')
    expect(edge.refusals).to.deep.equal(['org_tokens', 'org_tokens'])
    await edge.close()
  })
})

describe('turns while all places are taken', () => {
  it('wait for one, and a place that is free goes to the org that has none', async () => {
    const asked: string[] = []
    const edge = await startEdge({
      maxStreams: 2,
      clock: unhurriedClock,
      limitsFor(org) {
        asked.push(org)
        return {}
      },
      backends: { direct_llm: hanging('direct_llm', 'Hello') },
    })
    const running = [await start(edge), await start(edge)]
    const order: string[] = []
    const waiting = ['org-1', 'org-2'].map(async (org) => {
      const { response } = await start(edge, 'user-1', org)
      order.push(`${org} ${response.status}`)
    })
    await until(
      'both to wait',
      () => asked.filter((org) => org === 'org-1').length === 3 && asked.includes('org-2'),
    )
    for (const [at, { response }] of running.entries()) {
      await response.body?.cancel()
      await until('a turn to have the place', () => order.length === at + 1)
    }
    await Promise.all(waiting)
    expect(order).to.deep.equal(['org-2 200', 'org-1 200'])
    await edge.close()
  })

  it('are refused where none is free in a second', async () => {
    const edge = await startEdge({ maxStreams: 2, backends: { direct_llm: hanging('direct_llm', 'Hello') } })
    for (const _turn of [1, 2]) expect((await start(edge)).response.status).to.equal(200)
    expect((await start(edge, 'user-1', 'org-2')).response.status).to.equal(503)
    expect(edge.refusals).to.deep.equal(['full'])
    await edge.close()
  })

  it('cost a refused turn neither a start of the minute nor a stream of its user', async () => {
    const limits = { startsPerMinutePerUser: 2, streamsPerUser: 2 }
    const edge = await startEdge({
      maxStreams: 1,
      limits,
      backends: { direct_llm: hanging('direct_llm', 'Hello') },
    })
    const first = await start(edge)
    for (const _turn of [1, 2]) expect((await start(edge)).response.status).to.equal(503)
    await first.response.body?.cancel()
    await until('the place to be free', () => edge.turns.count === 0)
    expect((await start(edge)).response.status).to.equal(200)
    await edge.close()
  })

  it('are refused sooner where the event loop is late: new sessions at level 3, all at level 4', async () => {
    const overload = { level: 3 as 3 | 4, places: 1, onLook: () => undefined, turnedAway: () => undefined }
    const edge = await startEdge({ overload, backends: { direct_llm: hanging('direct_llm', 'Hello') } })
    const first = await start(edge)
    const refused = await start(edge)
    expect([refused.response.status, refused.retryAfter]).to.deep.equal([503, '3'])
    const sessionId = first.response.headers.get('x-chat-session-id') ?? ''
    const next = async () =>
      (await postTurn(edge.url, await bearer(), `sessions/${sessionId}`, { message: 'Hi' })).status
    // Its turn still runs, so it is admitted and then told that.
    expect(await next()).to.equal(409)
    overload.level = 4
    expect(await next()).to.equal(503)
    expect(edge.refusals).to.deep.equal(['overload', 'overload'])
    await edge.close()
  })

  it('leave a place to the reader of a running turn in any overload, up to the open streams allowed', async () => {
    const overload = { level: 4 as const, places: 1, onLook: () => undefined, turnedAway: () => undefined }
    const edge = await startEdge({
      overload,
      maxStreams: 2,
      backends: { direct_llm: hanging('direct_llm', 'Hello') },
    })
    const { response } = await start(edge)
    const authorization = await bearer({ sub: 'user-1', org_id: 'org-1' })
    const comeBack = () =>
      fetch(`${edge.url}/api/v1/chat/streams/${response.headers.get('x-chat-stream-id')}`, {
        headers: { authorization },
      })
    expect((await comeBack()).status).to.equal(200)
    expect((await comeBack()).status).to.equal(503)
    expect(edge.refusals).to.deep.equal(['full'])
    await edge.close()
  })

  it('make the replica unready at the highest level alone', async () => {
    const overload = { level: 3 as 3 | 4, places: 10, onLook: () => undefined, turnedAway: () => undefined }
    const edge = await startEdge({ overload })
    const ready = async () => fetch(`${edge.url}/health/ready`)
    expect((await ready()).status).to.equal(200)
    overload.level = 4
    const unready = await ready()
    expect(unready.status).to.equal(503)
    expect(await errorOf(unready)).to.include({ code: 'overloaded' })
    await edge.close()
  })
})
