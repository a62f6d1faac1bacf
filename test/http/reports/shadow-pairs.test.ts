import { expect } from 'chai'
import type { Comparison } from '../../../src/journal/comparison.js'
import { type ShadowPairs, shadowPairsSchema } from '../../../src/protocol/shadow-pairs.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { sampleComparison, sampleSide } from '../../support/comparisons.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'

const HOUR_MS = 3_600_000

describe('GET /runtime/shadow/pairs', () => {
  let edge: Edge
  let at: number

  const start = async (options: EdgeOptions = {}): Promise<void> => {
    edge = await startEdge(options)
    at = Date.now() - HOUR_MS
  }
  afterEach(() => edge.close())

  const keep = (messageId: string, more: Partial<Comparison> = {}): void =>
    edge.journal.keepComparison(sampleComparison({ at, sessionId: `of-${messageId}`, messageId, ...more }))
  const ask = async (query = '', claims = {}): Promise<Response> =>
    fetch(`${edge.url}/api/v1/runtime/shadow/pairs${query}`, {
      headers: { authorization: await bearer({ role: 'admin', ...claims }), 'accept-language': 'en' },
    })
  const pairs = async (query = ''): Promise<ShadowPairs> =>
    shadowPairsSchema.parse(await dataOf(await ask(query)))
  const ids = async (query = ''): Promise<(string | null)[]> =>
    (await pairs(query)).pairs.map(({ messageId }) => messageId)

  it('lists those that differ most first, or the newest, by the ids of their turns', async () => {
    await start()
    const failed = sampleSide({ mode: 'runtime_orchestrator', result: 'error', code: 'runtime_error' })
    keep('slower', { at: at + 1, candidate: sampleSide({ latencyMs: 3_000 }) })
    keep('failed', { at: at + 2, candidate: failed })
    keep('alike', { at: at + 3, candidate: sampleSide() })
    keep('other words', { at: at + 4, textSimilarity: 0.1 })
    keep('own', { kind: 'aa' })
    keep('left', { control: sampleSide({ result: 'aborted' }) })
    expect(await ids()).to.deep.equal(['failed', 'other words', 'slower', 'alike'])
    expect(await ids('?sort=newest')).to.deep.equal(['other words', 'alike', 'failed', 'slower'])
    expect(await ids('?limit=1')).to.deep.equal(['failed'])
    const {
      compared,
      sort,
      control,
      pairs: [first],
    } = await pairs()
    expect({ compared, sort, control }).to.deep.equal({ compared: 4, sort: 'difference', control: null })
    expect(first).to.deep.include({
      sessionId: 'of-failed',
      difference: 1,
      at: new Date(at + 2).toISOString(),
    })
    expect(first?.candidate).to.deep.include({ result: 'error', code: 'runtime_error' })
    expect(JSON.stringify(await pairs())).not.to.include('"content"')
  })

  it('takes a span, an org, an agent and a control', async () => {
    await start()
    keep('one', { orgId: 'org-2' })
    keep('two', { agentId: 'agent-2', at: at + 1 })
    keep('three', {
      at: at + 2,
      control: sampleSide({ mode: 'runtime_orchestrator' }),
      candidate: sampleSide({ mode: 'direct_llm' }),
    })
    keep('old', { at: at - 30 * 24 * HOUR_MS })
    expect(await ids('?sort=newest')).to.deep.equal(['three', 'two', 'one'])
    expect(await ids('?orgId=org-2')).to.deep.equal(['one'])
    expect(await ids('?agentId=agent-2')).to.deep.equal(['two'])
    expect(await ids('?control=runtime_orchestrator')).to.deep.equal(['three'])
    const [turned] = (await pairs('?control=runtime_orchestrator')).pairs
    expect([turned?.control.mode, turned?.candidate.mode]).to.deep.equal([
      'runtime_orchestrator',
      'direct_llm',
    ])
    expect(
      await ids(`?from=${new Date(at - 31 * 24 * HOUR_MS).toISOString()}&to=${new Date(at).toISOString()}`),
    ).to.deep.equal(['old'])
  })

  it('tells content only where it is kept, and that of its own pair', async () => {
    const content = { control: 'the answer', candidate: 'another answer' }
    await start()
    keep('one', { content })
    expect(JSON.stringify(await pairs())).not.to.include('answer')
    await edge.close()
    await start({ keepContent: true })
    keep('one', { content, textSimilarity: 0.5 })
    // At the same instant, of the same org and agent.
    keep('two', { content: { control: 'c', candidate: 'd' }, textSimilarity: 0.25 })
    keep('own', { kind: 'aa', content: { control: 'e', candidate: 'f' }, textSimilarity: 0.5 })
    // Of two that cannot be told apart neither is shown.
    keep('three', { at: at + 1, content })
    keep('four', { at: at + 1, content })
    const found = Object.fromEntries((await pairs()).pairs.map((pair) => [pair.messageId, pair.content]))
    expect(found).to.deep.equal({
      one: content,
      two: { control: 'c', candidate: 'd' },
      three: undefined,
      four: undefined,
    })
  })

  it('lists pairs of an older version without ids', async () => {
    await start()
    edge.journal.keepComparison(sampleComparison({ at }))
    const [only] = (await pairs()).pairs
    expect(only).to.include({ sessionId: null, messageId: null, orgId: 'org-1' })
  })

  it('refuses another order, too many, and who is no operator', async () => {
    await start({ auth: { operatorRole: 'owner' } })
    const owner = { role: 'owner' }
    for (const query of ['?sort=worst', '?limit=0', '?limit=101', '?newest']) {
      const response = await ask(query, owner)
      expect(response.status, query).to.equal(400)
      expect((await errorOf(response)).details).to.have.length(1)
    }
    expect((await ask('', { role: 'admin' })).status).to.equal(403)
    expect((await ask('', owner)).status).to.equal(200)
  })
})
