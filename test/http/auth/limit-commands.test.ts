import { expect } from 'chai'
import { errorOf } from '../../support/answers.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'

describe('commands of operators', () => {
  const clock = manualClock(Date.now())
  let edge: Edge
  before(async () => {
    edge = await startEdge({ commandsPerMinute: 2, clock })
  })
  after(() => edge.close())

  const ask = async (user: string, method: string, path: string, org = 'org-1') => {
    const authorization = await bearer({ sub: user, org_id: org, role: 'admin' })
    const response = await fetch(`${edge.url}/api/v1/runtime/${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json', 'accept-language': 'en' },
      ...(method === 'POST' ? { body: '{}' } : {}),
    })
    const { code } = await errorOf(response)
    return { status: response.status, code, retryAfter: response.headers.get('retry-after') }
  }

  it('are refused where one person sends too many in a minute, each kind counted, refused ones too', async () => {
    expect((await ask('ada', 'POST', 'fallback/trigger')).status).to.equal(200)
    expect((await ask('ada', 'POST', 'erase')).status, 'without anybody to erase').to.equal(400)
    for (const [method, path] of [
      ['POST', 'fallback/trigger'],
      ['POST', 'fallback/reset'],
      ['POST', 'erase'],
      ['POST', 'rollout/abort'],
      ['POST', 'replay'],
      ['PATCH', 'flags'],
      ['GET', 'export?userId=u'],
    ] as const)
      expect(await ask('ada', method, path), path).to.deep.equal({
        status: 429,
        code: 'rate_limited',
        retryAfter: '30',
      })
    expect(edge.fallback.commands.length).to.equal(1)
  })

  it('of others, and reads, go on', async () => {
    expect((await ask('ada', 'GET', 'fallback/status')).status).to.equal(200)
    expect((await ask('ada', 'GET', 'metrics')).status).to.equal(200)
    expect((await ask('bob', 'POST', 'fallback/trigger')).status).to.equal(200)
    expect((await ask('ada', 'POST', 'fallback/trigger', 'org-2')).status).to.equal(200)
  })

  it('may be sent again after a while', async () => {
    clock.advance(30_000)
    expect((await ask('ada', 'POST', 'fallback/trigger')).status).to.equal(200)
    expect((await ask('ada', 'POST', 'fallback/trigger')).status).to.equal(429)
  })
})
