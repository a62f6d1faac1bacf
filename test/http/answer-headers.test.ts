import { expect } from 'chai'
import { bearer, type Edge, startEdge } from '../support/edge.js'

describe('every answer', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge()
  })
  after(() => edge.close())

  it('tells browsers to take it for what it is, and to frame it nowhere', async () => {
    const authorization = await bearer()
    const turn = {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: '{"agentId":"a","message":"Hi"}',
    }
    const calls: [string, RequestInit][] = [
      ['/health/live', {}],
      ['/metrics', {}],
      ['/nowhere', {}],
      ['/docs', {}],
      ['/console', {}],
      ['/api/v1/chat/sessions', { headers: { authorization } }],
      ['/api/v1/chat/sessions', {}],
      ['/v1/models', { headers: { authorization } }],
      ['/api/v1/chat/start', turn],
    ]
    for (const [path, init] of calls) {
      const { headers, body } = await fetch(`${edge.url}${path}`, init)
      expect(headers.get('x-content-type-options'), path).to.equal('nosniff')
      expect(headers.get('x-frame-options'), path).to.equal('DENY')
      expect(headers.get('referrer-policy'), path).to.equal('no-referrer')
      expect(headers.get('content-security-policy'), path).to.include("default-src '")
      expect(headers.get('content-security-policy'), path).to.include("frame-ancestors 'none'")
      expect(headers.get('strict-transport-security'), path).to.equal(null)
      await body?.cancel()
    }
  })
})
