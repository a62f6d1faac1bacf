import { expect } from 'chai'
import { PROBLEMS } from '../../../src/http/edge/problems.js'
import { replaySchema } from '../../../src/protocol/replay.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { sampleExecution } from '../../support/comparisons.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'

const MINUTE_MS = 60_000

describe('POST /runtime/replay', () => {
  let edge: Edge
  const now = Date.now()
  beforeEach(async () => {
    edge = await startEdge()
  })
  afterEach(() => edge.close())

  const ask = async (body: unknown, claims = {}, language = 'en'): Promise<Response> =>
    fetch(`${edge.url}/api/v1/runtime/replay`, {
      method: 'POST',
      headers: {
        authorization: await bearer({ role: 'admin', ...claims }),
        'content-type': 'application/json',
        'accept-language': language,
      },
      body: JSON.stringify(body),
    })
  const replayed = async (body: unknown, language = 'en') =>
    replaySchema.parse(await dataOf(await ask(body, {}, language)))

  /** Four a second for ten minutes, half an hour ago; a share of them fails for the middle two. */
  const keepIncident = (share: number): void => {
    for (let turn = 0; turn < 2400; turn += 1) {
      const isSick = turn >= 960 && turn < 1440
      edge.journal.keepExecution(
        sampleExecution({
          at: now - 30 * MINUTE_MS + turn * 250,
          mode: 'runtime_orchestrator',
          sessionId: `s-${turn}`,
          result: isSick && turn % 10 < share * 10 ? 'error' : 'ok',
          latencyMs: 100,
        }),
      )
    }
  }

  it('tells what other guardrails would have done, beside what happened, and touches nothing', async () => {
    keepIncident(0.3)
    const same = await replayed({})
    expect([same.replayed.trips, same.happened.trips, same.changed, same.partial]).to.deep.equal([
      0,
      0,
      [],
      null,
    ])
    const strict = await replayed({ guardrails: { errorRate: 0.2, firstContentMs: 5_000 } })
    expect(strict.changed).to.deep.equal([
      { name: 'errorRate', inForce: 0.5, replayed: 0.2 },
      { name: 'firstContentMs', inForce: 60_000, replayed: 5_000 },
    ])
    expect(strict.ignored).to.deep.equal(['firstContentMs'])
    expect(strict.replayed.trips).to.be.at.least(1)
    const [trip] = strict.replayed.transitions
    expect(trip).to.include({ kind: 'trip', cause: 'error_rate', threshold: 0.2 })
    expect(trip?.reason).to.match(/^Error rate too high: [\d.]+% \(threshold: 20\.00%\)$/)
    expect(Date.parse(trip?.at ?? '')).to.be.within(now - 26 * MINUTE_MS, now - 24 * MINUTE_MS + 2_000)
    expect(strict.replayed.fallbackMs).to.be.greaterThan(30_000)
    expect(strict.evidence).to.include({ executions: 2400, shadows: 0 })
    expect(edge.fallback.now.override.auto.state).to.equal('normal')
    const zh = await replayed({ guardrails: { errorRate: 0.2 } }, 'zh-CN')
    expect(zh.replayed.transitions[0]?.reason).to.match(/^错误率过高/)
    expect(zh.limits[0]).to.match(/[\u4e00-\u9fff]/)
  })

  it('refuses what is no span, no guardrail, or not the caller’s to ask', async () => {
    const cases: [body: unknown, line: RegExp][] = [
      [{ from: 'yesterday' }, /^from: must be an instant/],
      [{ from: '2026-02-01', to: '2026-01-01' }, /^from: must be before to/],
      [{ from: '2026-01-01', to: '2026-02-01' }, /^from: must be at most 7 days before to/],
      [{ guardrails: { errorRate: 2 } }, /^guardrails\.errorRate: must be at most 1, not 2$/],
      [{ guardrails: { errorRates: 0.2 } }, /^guardrails\.errorRates: is not a known field/],
      [{ guardrails: [] }, /^guardrails: /],
      [{ minSamples: 3 }, /^minSamples: is not a known field/],
    ]
    for (const [body, line] of cases) {
      const response = await ask(body)
      expect(response.status, JSON.stringify(body)).to.equal(400)
      expect((await errorOf(response)).details?.[0], JSON.stringify(body)).to.match(line)
    }
    expect((await ask({}, { role: 'member' })).status).to.equal(403)
  })

  it('says so where the journal cannot be read', async () => {
    edge.journal.available = false
    const response = await ask({})
    expect([response.status, (await errorOf(response)).message]).to.deep.equal([
      503,
      PROBLEMS.journal_unavailable.en,
    ])
  })
})
