import { expect } from 'chai'
import type { KeptExecution } from '../../../src/journal/comparison.js'
import { type MetricsHistory, metricsHistorySchema } from '../../../src/protocol/kept-metrics.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { sampleExecution } from '../../support/comparisons.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'

const MINUTE_MS = 60_000

describe('GET /runtime/metrics-history', () => {
  let edge: Edge

  const start = async (options: EdgeOptions = {}): Promise<void> => {
    edge = await startEdge(options)
  }
  const ask = async (query = '', claims = {}): Promise<Response> =>
    fetch(`${edge.url}/api/v1/runtime/metrics-history${query}`, {
      headers: { authorization: await bearer({ role: 'admin', ...claims }), 'accept-language': 'en' },
    })
  const history = async (query = '', claims = {}): Promise<MetricsHistory> =>
    metricsHistorySchema.parse(await dataOf(await ask(query, claims)))
  const keep = (minutesAgo: number, more: Partial<KeptExecution> = {}): void =>
    edge.journal.keepExecution(sampleExecution({ at: Date.now() - minutesAgo * MINUTE_MS, ...more }))

  afterEach(() => edge.close())

  it('has a point for each minute of the last hour, each over five minutes', async () => {
    await start()
    keep(10.5, { mode: 'runtime_orchestrator', result: 'error', latencyMs: 800 })
    const { points, windowSeconds, orgId } = await history()
    expect({ windowSeconds, orgId }).to.deep.equal({ windowSeconds: 300, orgId: null })
    expect(points).to.have.length(61)
    const first = Date.parse(points[0]?.at ?? '')
    expect(Date.parse(points[60]?.at ?? '') - first).to.equal(60 * MINUTE_MS)
    const seen = points.flatMap(({ runtime }, at) => (runtime.errorRate === 1 ? [60 - at] : []))
    expect(seen).to.deep.equal([10, 9, 8, 7, 6])
    expect(points.every(({ direct }) => direct.total === 0)).to.equal(true)
  })

  it('has as many points and as long windows as asked for', async () => {
    await start()
    keep(1.5)
    const { points, windowSeconds } = await history('?minutes=2&windowSeconds=61')
    expect(windowSeconds).to.equal(120)
    expect(points.map(({ direct }) => direct.total)).to.deep.equal([0, 1, 1])
    for (const query of ['?minutes=181', '?windowSeconds=1', '?since=now'])
      expect((await errorOf(await ask(query))).code, query).to.equal('bad_request')
  })

  it('tells an admin below the operators of the own org alone', async () => {
    await start({ auth: { operatorRole: 'owner' } })
    keep(0.5, { orgId: 'acme' })
    keep(0.5, { orgId: 'globex' })
    const totals = ({ points }: MetricsHistory): number | undefined => points.at(-1)?.direct.total
    expect(totals(await history('?orgId=acme', { org_id: 'acme' }))).to.equal(1)
    expect(totals(await history('', { role: 'owner' }))).to.equal(2)
    for (const query of ['', '?orgId=globex']) {
      const refused = await ask(query, { org_id: 'acme' })
      expect(refused.status, query).to.equal(403)
    }
  })

  it('says so where the journal cannot be read', async () => {
    await start()
    edge.journal.available = false
    const refused = await ask()
    expect(refused.status).to.equal(503)
    expect((await errorOf(refused)).code).to.equal('store_unavailable')
  })
})
