import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import { silentLogger } from '../../../src/core/logger.js'
import type { Comparison, DroppedShadow } from '../../../src/journal/comparison.js'
import type { Journal } from '../../../src/journal/journal.js'
import { openSqliteJournal } from '../../../src/journal/sqlite/sqlite-journal.js'
import { type ShadowReport, shadowReportSchema } from '../../../src/protocol/shadow-report.js'
import type { ShadowRunner } from '../../../src/shadow/run/shadow-runner.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { startTurn } from '../../support/chat-client.js'
import { sampleComparison, sampleDrop, sampleSide } from '../../support/comparisons.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { rejection } from '../../support/rejection.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { shadowRig } from '../../support/shadow-rig.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const ask = async (edge: Edge, query = '', claims = {}, language = 'en'): Promise<Response> =>
  fetch(`${edge.url}/api/v1/runtime/shadow/report${query}`, {
    headers: { authorization: await bearer({ role: 'admin', ...claims }), 'accept-language': language },
  })

describe('GET /runtime/shadow/report', () => {
  let edge: Edge

  const start = async (options: EdgeOptions = {}): Promise<void> => {
    edge = await startEdge(options)
  }
  const keep = (times: number, more: Partial<Comparison> = {}): void => {
    for (let time = 0; time < times; time += 1)
      edge.journal.keepComparison(sampleComparison({ at: Date.now() - HOUR_MS, ...more }))
  }
  const drop = (times: number, more: Partial<DroppedShadow> = {}): void => {
    for (let time = 0; time < times; time += 1)
      edge.journal.keepDrop(sampleDrop({ at: Date.now() - HOUR_MS, ...more }))
  }
  /** the control's own backend once more */
  const own = sampleComparison({ kind: 'aa', candidate: sampleSide() })
  const reversed = {
    control: sampleSide({ mode: 'runtime_orchestrator' }),
    candidate: sampleSide({ mode: 'direct_llm' }),
  } as const
  const report = async (query = ''): Promise<ShadowReport> =>
    shadowReportSchema.parse(await dataOf(await ask(edge, query)))

  afterEach(() => edge.close())

  it('tells what would change over the last seven days', async () => {
    await start()
    keep(40)
    keep(35, { kind: own.kind, candidate: own.candidate })
    keep(10, { at: Date.now() - 8 * DAY_MS })
    const told = await report()
    expect(told.pairs).to.deep.equal({ ab: 40, aa: 35 })
    expect(told).to.include({ control: 'direct_llm', candidate: 'runtime_orchestrator', orgId: null })
    expect(Date.parse(told.to) - Date.parse(told.from)).to.equal(7 * DAY_MS)
    const latency = told.dimensions.find(({ dimension }) => dimension === 'latency')
    expect(latency).to.deep.include({ control: 1_000, candidate: 1_500, verdict: 'worse' })
    expect(latency?.relative?.value).to.be.closeTo(0.5, 1e-6)
    expect(told.verdict).to.equal('worse')
    expect(told.sentence.en).to.contain('worse for users').and.to.contain('40 pairs')
    expect(told.sentence['zh-CN']).to.contain('总体更差')
  })

  it('takes the control that was compared more often, or the one asked for', async () => {
    await start()
    expect((await report()).control).to.equal('direct_llm')
    keep(2)
    keep(3, reversed)
    expect(await report()).to.deep.include({ control: 'runtime_orchestrator', pairs: { ab: 3, aa: 0 } })
    expect(await report('?control=direct_llm')).to.deep.include({
      control: 'direct_llm',
      pairs: { ab: 2, aa: 0 },
    })
    expect((await report('?control=runtime_orchestrator')).pairs.ab).to.equal(3)
  })

  it('takes a span, an org and an agent', async () => {
    await start()
    keep(1, { at: Date.UTC(2026, 0, 1, 23, 59) })
    keep(2, { at: Date.UTC(2026, 0, 2), orgId: 'org-2' })
    keep(4, { at: Date.UTC(2026, 0, 2, 12), agentId: 'agent-2' })
    keep(8, { at: Date.UTC(2026, 0, 3) })
    const pairs = async (query: string): Promise<number> => (await report(query)).pairs.ab
    const day = 'from=2026-01-02&to=2026-01-03T00:00:00Z'
    expect(await pairs(`?${day}`)).to.equal(6)
    expect(await pairs(`?${day}&orgId=org-2`)).to.equal(2)
    expect(await pairs(`?${day}&agentId=agent-2`)).to.equal(4)
    expect(await pairs(`?${day}&orgId=org-2&agentId=agent-2`)).to.equal(0)
    expect(await pairs('?to=2026-01-03')).to.equal(7)
    const one = await report(`?${day}&orgId=org-2&agentId=agent-1`)
    expect(one).to.include({ orgId: 'org-2', agentId: 'agent-1', from: '2026-01-02T00:00:00.000Z' })
  })

  it('counts what failed, what was dropped and what passed the fence', async () => {
    await start()
    drop(4)
    const failing = (result: 'error' | 'timeout', code: string) =>
      sampleSide({ mode: 'runtime_orchestrator', result, code })
    keep(3, { candidate: failing('error', 'runtime_error'), fenceViolations: 1 })
    keep(2, { candidate: failing('timeout', 'first_content_timeout') })
    const { shadows, outcomes, fenceViolations, sentence } = await report()
    expect(shadows.failed).to.equal(5)
    expect(shadows.dropped).to.deep.equal({
      busy: 4,
      pressure: 0,
      sick: 0,
      draining: 0,
      aborted: 0,
      flood: 0,
      rejected: 0,
      unfenced: 0,
      fault: 0,
    })
    expect(outcomes.control).to.deep.equal({ ok: 5, error: 0, timeout: 0, codes: {} })
    expect(outcomes.candidate).to.deep.equal({
      ok: 0,
      error: 3,
      timeout: 2,
      codes: { runtime_error: 3, first_content_timeout: 2 },
    })
    expect(fenceViolations).to.equal(3)
    expect(sentence.en).to.contain('3 times')
  })

  it('counts what was dropped of its span, org, agent and control alone', async () => {
    await start()
    const at = Date.UTC(2026, 0, 2, 12)
    keep(1, { at })
    drop(1, { at: Date.UTC(2026, 0, 1, 23, 59, 59) })
    drop(2, { at })
    drop(4, { at, orgId: 'org-2', reason: 'sick' })
    drop(8, { at, agentId: 'agent-2' })
    drop(16, { at, controlMode: 'runtime_orchestrator' })
    drop(32, { at: Date.UTC(2026, 0, 3) })
    const dropped = async (query: string): Promise<Record<string, number>> => {
      const all = Object.entries((await report(query)).shadows.dropped)
      return Object.fromEntries(all.filter(([, count]) => count > 0))
    }
    const day = 'from=2026-01-02&to=2026-01-03'
    expect(await dropped(`?${day}`)).to.deep.equal({ busy: 10, sick: 4 })
    expect(await dropped(`?${day}&orgId=org-2`)).to.deep.equal({ sick: 4 })
    expect(await dropped(`?${day}&orgId=org-1&agentId=agent-2`)).to.deep.equal({ busy: 8 })
    expect(await dropped(`?${day}&control=runtime_orchestrator`)).to.deep.equal({ busy: 16 })
    expect(await dropped('?from=2026-01-01&to=2026-01-02')).to.deep.equal({ busy: 1 })
    expect(await dropped('?from=2026-02-01&to=2026-02-02')).to.deep.equal({})
  })

  it('takes the control of which more was dropped where neither was compared', async () => {
    await start()
    drop(1)
    drop(2, { controlMode: 'runtime_orchestrator' })
    expect((await report()).control).to.equal('runtime_orchestrator')
    drop(1)
    expect((await report()).control).to.equal('direct_llm')
    keep(1, reversed)
    expect((await report()).control).to.equal('runtime_orchestrator')
  })

  it('says when more was dropped than compared', async () => {
    await start()
    keep(3)
    drop(3)
    expect((await report()).sentence.en).not.to.contain('dropped')
    drop(1, { reason: 'aborted' })
    const { sentence } = await report()
    expect(sentence.en).to.contain('dropped (4) than compared (3): the pairs come from quiet hours only')
    expect(sentence['zh-CN']).to.contain('4 个未能比较，多于完成比较的 3 个：结果只反映空闲且正常的时段')
    drop(3, { reason: 'aborted' })
    const mixed = (await report()).sentence
    expect(mixed.en).to.contain('dropped (7) than compared (3): the pairs may not stand for all turns')
    expect(mixed['zh-CN']).to.contain('未必能代表全部回合')
  })

  it('never tells content, unless it is kept, and then a little', async () => {
    const content = { control: 'the answer', candidate: 'another answer' }
    await start()
    keep(3, { content })
    const response = await (await ask(edge)).text()
    expect(response).not.to.contain('samples').and.not.to.contain('answer')
    await edge.close()

    await start({ keepContent: true })
    keep(25, { content })
    keep(1, { content, orgId: 'org-2', textSimilarity: 0.5 })
    expect((await report()).samples).to.have.length(20)
    const [only, ...more] = (await report('?orgId=org-2')).samples ?? []
    expect(more).to.deep.equal([])
    expect(only).to.include({ ...content, orgId: 'org-2', kind: 'ab', textSimilarity: 0.5 })
    expect(Date.parse(only?.at ?? '')).to.be.below(Date.now())
  })

  it('refuses what is no span and no field, a line each, in both languages', async () => {
    await start()
    const details = async (query: string, language = 'en') => {
      const response = await ask(edge, query, {}, language)
      expect(response.status).to.equal(400)
      return (await errorOf(response)).details
    }
    expect(await details('?from=yesterday&to=2026-13-01')).to.have.length(2)
    expect((await details('?from=yesterday'))?.[0]).to.match(/^from: must be an instant as ISO 8601/)
    expect((await details('?from=yesterday', 'zh-CN'))?.[0]).to.match(/^from: 必须是 ISO 8601/)
    expect((await details('?from=2026-01-02&to=2026-01-02'))?.[0]).to.match(/^from: must be before to/)
    expect(await details('?control=both&limit=3&orgId=')).to.have.members([
      'control: must be one of "direct_llm", "runtime_orchestrator"',
      'limit: is not a known field',
      'orgId: must not be empty',
    ])
  })

  it("needs the operators' role", async () => {
    await start({ auth: { operatorRole: 'owner' } })
    expect((await ask(edge, '', { role: 'member' })).status).to.equal(403)
    expect((await ask(edge, '', { role: 'admin' })).status).to.equal(403)
    expect((await ask(edge, '', { role: 'owner' })).status).to.equal(200)
    expect((await fetch(`${edge.url}/api/v1/runtime/shadow/report`)).status).to.equal(401)
  })

  it('makes a few at a time, lets a few wait, and refuses the rest', async () => {
    await start()
    let gone = 0
    edge.server.on('request', (_, response) =>
      response.on('close', () => {
        if (!response.writableFinished) gone += 1
      }),
    )
    const { comparisonSums } = edge.journal
    let asked = 0
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    edge.journal.comparisonSums = async (query) => {
      asked += 1
      await held
      return comparisonSums(query)
    }
    const authorization = await bearer({ role: 'admin' })
    const get = (path: string, signal?: AbortSignal): Promise<Response> =>
      fetch(`${edge.url}/api/v1/runtime/${path}`, {
        headers: { authorization },
        ...(signal === undefined ? {} : { signal }),
      })
    const path = 'shadow/report?control=direct_llm'
    const running = [get(path), get(path)]
    await until('two to be made', () => asked === 2)
    const more = Array.from({ length: 9 }, () => {
      const leave = new AbortController()
      return { leave, response: get(path, leave.signal) }
    })
    const refused = await Promise.race(more.map(async (one) => ({ ...one, response: await one.response })))
    expect([refused.response.status, refused.response.headers.get('retry-after')]).to.deep.equal([503, '1'])
    expect((await errorOf(refused.response)).code).to.equal('overloaded')
    // The baseline reads as long.
    expect((await get('baseline')).status).to.equal(503)

    const [leaving, ...waiting] = more.filter(({ leave }) => leave !== refused.leave)
    leaving?.leave.abort()
    expect(await rejection(leaving?.response ?? Promise.resolve())).to.include({ name: 'AbortError' })
    await until('the one that leaves to be gone', () => gone === 1)
    release()
    const answered = await Promise.all([...running, ...waiting.map(({ response }) => response)])
    expect(answered.map(({ status }) => status)).to.deep.equal(Array(9).fill(200))
    expect(asked).to.equal(9)
    expect((await get(path)).status).to.equal(200)
    expect(edge.log.filter(({ level }) => level === 50)).to.deep.equal([])
  })

  it('says when the journal cannot be read', async () => {
    await start({ keepContent: true })
    edge.journal.available = false
    const response = await ask(edge)
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([503, '1'])
    expect((await errorOf(response)).code).to.equal('store_unavailable')
  })
})

describe('dropped shadows of real turns on two replicas with one journal', () => {
  const directory = temporaryDirectory()
  const open: Replica[] = []

  const start = async (replica: string, sick: boolean): Promise<Replica> => {
    const journal = openSqliteJournal(directory.path('chat.db'), { clock: systemClock, logger: silentLogger })
    const { runner } = shadowRig(
      {},
      { replica, clock: systemClock, sick: () => sick, keepDrop: (drop) => journal.keepDrop(drop) },
    )
    const edge = await startEdge({ realJournal: journal, shadows: runner, flags: { shadow: true } })
    const started = { edge, journal, runner }
    open.push(started)
    return started
  }
  const stop = async ({ edge, journal, runner }: Replica): Promise<void> => {
    await runner.stop(0)
    await edge.close()
    await journal.close()
  }
  const stopNow = async (replica: Replica): Promise<void> => {
    open.splice(open.indexOf(replica), 1)
    await stop(replica)
  }
  afterEach(async () => {
    for (const replica of open.splice(0)) await stop(replica)
  })

  const chat = async ({ edge }: Replica, turns: number, orgId = 'org-1'): Promise<void> => {
    const authorization = await bearer({ org_id: orgId })
    for (let turn = 0; turn < turns; turn += 1)
      expect((await startTurn(edge.url, authorization)).terminal?.event).to.equal('done')
  }
  const dropped = async ({ edge }: Replica, query = ''): Promise<Record<string, number>> => {
    const { shadows } = shadowReportSchema.parse(await dataOf(await ask(edge, query)))
    return Object.fromEntries(Object.entries(shadows.dropped).filter(([, count]) => count > 0))
  }

  it('count on both, for their span and org, and outlive whoever counted them', async () => {
    const one = await start('replica-a', true)
    const other = await start('replica-b', true)
    await chat(one, 2)
    await chat(one, 1, 'org-2')
    expect(await dropped(one)).to.deep.equal({ sick: 3 })
    await chat(other, 4)
    expect(await dropped(other)).to.deep.equal({ sick: 7 })
    await stopNow(other)
    expect(await dropped(one)).to.deep.equal({ sick: 7 })
    expect(await dropped(one, '?orgId=org-1')).to.deep.equal({ sick: 6 })
    expect(await dropped(one, '?orgId=org-2&agentId=assistant')).to.deep.equal({ sick: 1 })
    expect(await dropped(one, '?orgId=org-3')).to.deep.equal({})
    expect(await dropped(one, '?agentId=nobody')).to.deep.equal({})
    expect(await dropped(one, '?control=runtime_orchestrator')).to.deep.equal({})
    expect(await dropped(one, '?from=2026-01-01&to=2026-01-02')).to.deep.equal({})
    const again = await start('replica-b', false)
    expect(await dropped(again)).to.deep.equal({ sick: 7 })
  })

  it('of a process that stops are kept', async () => {
    const one = await start('replica-a', false)
    const decision = { mode: 'direct_llm', reason: 'default', shadow: true } as const
    expect(one.runner.consider(sampleTurn(), decision, sampleLimits)).not.to.equal(undefined)
    await stopNow(one)
    const next = await start('replica-b', false)
    expect(await dropped(next)).to.deep.equal({ draining: 1 })
  })
})

interface Replica {
  readonly edge: Edge
  readonly journal: Journal
  readonly runner: ShadowRunner
}
