import { expect } from 'chai'
import { type Edge, startEdge } from '../../support/edge.js'

describe('GET /metrics', () => {
  let edge: Edge
  before(async () => {
    edge = await startEdge()
  })
  after(() => edge.close())

  /** as Prometheus 2.42 and 3 ask */
  const PROMETHEUS_2 =
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
  const PROMETHEUS_TEXT_FIRST =
    'text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5'
  const CASES: readonly [accept: string | undefined, type: RegExp][] = [
    [undefined, /^text\/plain; version=0\.0\.4/],
    ['*/*', /^text\/plain; version=0\.0\.4/],
    ['text/plain', /^text\/plain; version=0\.0\.4/],
    ['text/html', /^text\/plain; version=0\.0\.4/],
    [PROMETHEUS_TEXT_FIRST, /^text\/plain; version=0\.0\.4/],
    [PROMETHEUS_2, /^application\/openmetrics-text; version=1\.0\.0/],
    ['application/openmetrics-text', /^application\/openmetrics-text; version=1\.0\.0/],
  ]

  for (const [accept, type] of CASES)
    it(`answers "${accept ?? 'nothing'}" by ${type.source}`, async () => {
      const response = await fetch(`${edge.url}/metrics`, { headers: accept === undefined ? {} : { accept } })
      expect(response.status).to.equal(200)
      expect(response.headers.get('content-type')).to.match(type)
      expect(response.headers.get('vary')).to.match(/\bAccept\b/)
      await response.text()
    })

  it('is at no other path that a proxy would let through', async () => {
    for (const path of ['/metrics/', '/METRICS', '/Metrics/', '//metrics', '/%6detrics']) {
      const response = await fetch(`${edge.url}${path}`)
      expect(response.status, path).to.equal(404)
      expect(await response.json()).to.have.nested.property('error.code', 'not_found')
    }
  })
})
