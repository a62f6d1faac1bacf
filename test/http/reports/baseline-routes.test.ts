import { expect } from 'chai'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { PROBLEMS } from '../../../src/http/edge/problems.js'
import type { KeptExecution } from '../../../src/journal/comparison.js'
import { type BaselineView, baselineSchema } from '../../../src/protocol/baseline.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { postTurn, startTurn } from '../../support/chat-client.js'
import { sampleExecution } from '../../support/comparisons.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { hanging, scripted } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const ask = async (edge: Edge, query = '', claims = {}, language = 'en'): Promise<Response> =>
  fetch(`${edge.url}/api/v1/runtime/baseline${query}`, {
    headers: { authorization: await bearer({ role: 'admin', ...claims }), 'accept-language': language },
  })

const HOUR_MS = 3_600_000

describe('GET /runtime/baseline', () => {
  let edge: Edge

  const start = async (options: EdgeOptions = {}): Promise<void> => {
    edge = await startEdge(options)
  }
  const keep = (times: number, more: Partial<KeptExecution> = {}): void => {
    for (let time = 0; time < times; time += 1)
      edge.journal.keepExecution(sampleExecution({ at: Date.now() - HOUR_MS, ...more }))
  }
  const baseline = async (query = '', language = 'en'): Promise<BaselineView> =>
    baselineSchema.parse(await dataOf(await ask(edge, query, {}, language)))

  afterEach(() => edge.close())

  it('tells both modes beside their targets', async () => {
    await start()
    keep(98, { latencyMs: 1_000 })
    keep(1, { latencyMs: 2_000, result: 'error' })
    keep(1, { latencyMs: 3_000, result: 'timeout' })
    keep(9, { mode: 'runtime_orchestrator', latencyMs: 2_000 })
    keep(1, { mode: 'runtime_orchestrator', latencyMs: 12_000, result: 'timeout' })
    const { rows, samples, sentences } = await baseline()
    expect(samples).to.deep.equal({ direct: 100, runtime: 10 })
    const table = rows.map(({ metric, name, targetText, direct, runtime }) => [
      metric,
      name,
      targetText,
      direct,
      runtime,
    ])
    const p95 = rows[1]
    expect(p95?.direct.value).to.be.closeTo(1_000, 10)
    expect(p95?.runtime.value).to.be.closeTo(12_000, 120)
    expect(table).to.deep.equal([
      ['avgLatencyMs', 'Mean latency', '< 3 s', { value: 1_030, met: true }, { value: 3_000, met: false }],
      [
        'p95LatencyMs',
        'P95 latency',
        '< 5 s',
        { value: p95?.direct.value, met: true },
        { value: p95?.runtime.value, met: false },
      ],
      ['errorRate', 'Error rate', '< 5%', { value: 0.02, met: true }, { value: 0.1, met: false }],
      ['timeoutRate', 'Timeout rate', '< 2%', { value: 0.01, met: true }, { value: 0.1, met: false }],
    ])
    expect(sentences.direct).to.equal('Direct LLM: all targets met (100 executions)')
    expect(sentences.runtime).to.match(
      /^Runtime: 4 of 4 targets missed: mean latency 3\.000 s \(target < 3 s\), P95/,
    )
  })

  it('speaks the language of the caller, and says where nothing was kept', async () => {
    await start()
    keep(1, { latencyMs: 4_000 })
    const { rows, samples, sentences } = await baseline('', 'zh-CN')
    expect(rows.map(({ name }) => name)).to.deep.equal(['平均延迟', 'P95 延迟', '错误率', '超时率'])
    expect(rows.map(({ runtime }) => runtime)).to.deep.equal(Array(4).fill({ value: null, met: null }))
    expect(samples.runtime).to.equal(0)
    expect(sentences).to.deep.equal({
      direct: 'direct LLM：1 项未达标：平均延迟 4.000 s（目标 < 3 s）（1 次执行）',
      runtime: 'Runtime：该时段内没有执行记录',
    })
  })

  it('looks at the last 24 hours of all orgs, or at the span and the org it is asked for', async () => {
    await start()
    const now = Date.now()
    keep(1, { at: now - 25 * HOUR_MS })
    keep(2, { at: now - 23 * HOUR_MS, orgId: 'org-1' })
    keep(4, { at: now - HOUR_MS, orgId: 'org-2' })
    const direct = async (query: Record<string, string> = {}): Promise<number> =>
      (await baseline(`?${new URLSearchParams(query)}`)).samples.direct
    const ago = (hours: number): string => new Date(now - hours * HOUR_MS).toISOString()
    expect(await direct()).to.equal(6)
    expect(await direct({ orgId: 'org-2' })).to.equal(4)
    expect(await direct({ from: ago(26) })).to.equal(7)
    expect(await direct({ to: ago(22) })).to.equal(3)
    expect(await direct({ from: ago(26), to: ago(24) })).to.equal(1)
    expect(await direct({ from: ago(26), to: ago(24), orgId: 'org-2' })).to.equal(0)
    const view = await baseline(`?from=2026-01-31&to=2026-02-01T08:00:00+08:00&orgId=org-9`)
    expect([view.from, view.to, view.orgId]).to.deep.equal([
      '2026-01-31T00:00:00.000Z',
      '2026-02-01T00:00:00.000Z',
      'org-9',
    ])
  })

  it('refuses instants that are none, one line each', async () => {
    await start()
    const details = async (query: string, language = 'en'): Promise<unknown> => {
      const response = await ask(edge, query, {}, language)
      expect(response.status).to.equal(400)
      return (await errorOf(response)).details
    }
    const fault = 'must be an instant as ISO 8601, like 2026-01-31 or 2026-01-31T08:00:00Z'
    expect(await details('?from=yesterday&to=2026-02-30')).to.deep.equal([`from: ${fault}`, `to: ${fault}`])
    expect(await details('?from=2026-01-02&to=2026-01-01', 'zh-CN')).to.deep.equal([
      'from: 必须早于 to（未给出时为当前时间）',
    ])
    expect(await details('?from=2126-01-01')).to.have.length(1)
    expect(await details('?from=a&from=b&org=x')).to.have.members([
      'from: must be a string, not an array',
      'org: is not a known field',
    ])
    expect(await details('?orgId=')).to.deep.equal(['orgId: must not be empty'])
  })

  it("needs the operators' role", async () => {
    await start()
    expect((await ask(edge, '', { role: 'member' })).status).to.equal(403)
    expect((await ask(edge, '', { role: 'admin' })).status).to.equal(200)
    expect((await fetch(`${edge.url}/api/v1/runtime/baseline`)).status).to.equal(401)
    await edge.close()
    await start({ auth: { operatorRole: 'owner' } })
    expect((await ask(edge, '?orgId=org-1', { role: 'admin' })).status).to.equal(403)
    expect((await ask(edge, '', { role: 'owner' })).status).to.equal(200)
  })

  it('is 503 while the journal cannot be read', async () => {
    await start()
    edge.journal.available = false
    const response = await ask(edge)
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '1'])
    expect((await errorOf(response)).message).to.equal(PROBLEMS.journal_unavailable.en)
  })
})

describe('executions for the baseline', () => {
  let edge: Edge
  afterEach(() => edge.close())

  it('are kept as they end, both of a turn that failed over', async () => {
    edge = await startEdge({
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: {
        runtime_orchestrator: scripted('runtime_orchestrator', async function* () {
          yield []
          throw new ExecutionError('runtime_unreachable', 'connect', 'refused')
        }),
      },
    })
    const before = Date.now()
    const { terminal } = await startTurn(edge.url, await bearer({ org_id: 'org-7' }))
    expect(terminal?.event).to.equal('done')
    expect(edge.journal.executed.map(({ mode, orgId, result }) => [mode, orgId, result])).to.deep.equal([
      ['runtime_orchestrator', 'org-7', 'error'],
      ['direct_llm', 'org-7', 'ok'],
    ])
    const [failed, answered] = edge.journal.executed
    expect(failed).to.not.have.property('firstContentMs')
    expect(answered?.firstContentMs).to.be.within(0, answered?.latencyMs ?? 0)
    for (const { at } of edge.journal.executed) expect(at).to.be.within(before, Date.now())
    expect(edge.outcomes).to.have.length(2)
  })

  it('are not kept where the user aborted them', async () => {
    edge = await startEdge({ backends: { direct_llm: hanging('direct_llm', 'Hel') } })
    const response = await postTurn(edge.url, await bearer(), 'start', { agentId: 'a', message: 'Hello' })
    await response.body?.cancel()
    await until('the outcome', () => edge.outcomes.length === 1)
    expect(edge.outcomes[0]).to.include({ result: 'aborted' })
    expect(edge.journal.executed).to.deep.equal([])
  })
})
