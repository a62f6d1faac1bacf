import { expect } from 'chai'
import { z } from 'zod'
import { PROBLEMS, type ProblemName } from '../../../src/http/edge/problems.js'
import { explanationSchema } from '../../../src/protocol/api.js'
import { rolloutEntrySchema, rolloutViewSchema } from '../../../src/protocol/rollout.js'
import type { RolloutProgress } from '../../../src/store/rollout/rollout.js'
import { dataOf, errorOf } from '../../support/answers.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { NO_SNAPSHOT, sampleChange } from '../../support/rollout-fakes.js'

async function ask(edge: Edge, path: string, method = 'GET', body?: unknown, claims = {}) {
  return fetch(`${edge.url}/api/v1/runtime/${path}`, {
    method,
    headers: {
      authorization: await bearer({ role: 'admin', ...claims }),
      'accept-language': 'en',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const PLAN = { stages: [1, 5, 25, 100], everyMinutes: 30 }
const progressOf = (state: 'running' | 'paused' | 'finished'): RolloutProgress => {
  const at = { plan: PLAN, stage: 1, since: 0 }
  if (state === 'finished') return { state, plan: PLAN, since: 0 }
  return state === 'running' ? { ...at, state } : { ...at, state, reason: '' }
}

describe('the calls of the rollout', () => {
  let edge: Edge
  beforeEach(async () => {
    edge = await startEdge()
  })
  afterEach(() => edge.close())

  const set = (progress: RolloutProgress, percent = 5): void => {
    edge.rollout.now = { ...NO_SNAPSHOT, percent, rollout: { ...NO_SNAPSHOT.rollout, progress } }
  }
  const refused = async (response: Response, problem: ProblemName): Promise<void> => {
    expect(response.status).to.equal(PROBLEMS[problem].status)
    expect(await errorOf(response)).to.include({ message: PROBLEMS[problem].en })
  }

  it('start one with what was asked for, each id once', async () => {
    const body = { ...PLAN, orgIds: ['b', 'a', 'b'], reason: ' pilot ' }
    const view = rolloutViewSchema.parse(await dataOf(await ask(edge, 'rollout', 'POST', body)))
    expect(view.plan).to.deep.equal({ ...PLAN, orgIds: ['a', 'b'], agentIds: null })
    expect(edge.rollout.commands).to.deep.equal([
      { kind: 'start', userId: 'user-1', plan: { ...PLAN, orgIds: ['a', 'b'] }, reason: 'pilot' },
    ])
  })

  it('refuse a plan that is none', async () => {
    for (const body of [
      {},
      { ...PLAN, stages: [] },
      { ...PLAN, stages: [5, 5] },
      { ...PLAN, stages: [0, 5] },
      { ...PLAN, stages: [5, 101] },
      { ...PLAN, everyMinutes: 0 },
      { ...PLAN, orgIds: [] },
      { ...PLAN, percent: 3 },
    ])
      expect((await ask(edge, 'rollout', 'POST', body)).status, JSON.stringify(body)).to.equal(400)
    expect(edge.rollout.commands).to.deep.equal([])
  })

  it('need the operators’ role', async () => {
    for (const [method, path] of [
      ['GET', 'rollout'],
      ['POST', 'rollout'],
      ['POST', 'rollout/pause'],
      ['POST', 'rollout/abort'],
      ['GET', 'rollout/history'],
    ] as const)
      expect((await ask(edge, path, method, undefined, { role: 'member' })).status, path).to.equal(403)
  })

  it('refuse what the state, or the operators’ flag, does not go with', async () => {
    await refused(await ask(edge, 'rollout/pause', 'POST'), 'rollout_not_running')
    await refused(await ask(edge, 'rollout/abort', 'POST'), 'rollout_none')
    set(progressOf('running'))
    await refused(await ask(edge, 'rollout', 'POST', PLAN), 'rollout_running')
    await refused(await ask(edge, 'rollout/resume', 'POST'), 'rollout_not_paused')
    edge.rollout.now = { ...NO_SNAPSHOT, opsMode: 'runtime' }
    await refused(await ask(edge, 'rollout', 'POST', PLAN), 'rollout_default_runtime')
    edge.rollout.now = { ...NO_SNAPSHOT, opsMode: 'targeting' }
    await refused(await ask(edge, 'rollout', 'POST', PLAN), 'rollout_targeting')
    expect(edge.rollout.commands).to.deep.equal([])
  })

  it('tell where the file cannot be written', async () => {
    edge.rollout.isStuck = true
    edge.rollout.now = { ...NO_SNAPSHOT, alerts: [{ kind: 'not_persisted', detail: 'ENOSPC: full' }] }
    const response = await ask(edge, 'rollout', 'POST', PLAN)
    expect(response.headers.get('retry-after')).to.equal('2')
    expect((await errorOf(response)).details).to.deep.equal(['ENOSPC: full'])
  })

  it('say that another one runs where another replica was faster', async () => {
    const { command } = edge.rollout
    edge.rollout.command = (asked) =>
      command(asked.kind === 'start' ? { ...asked, plan: { ...PLAN, stages: [50, 100] } } : asked)
    await refused(await ask(edge, 'rollout', 'POST', PLAN), 'rollout_running')
  })

  it('pause, resume and abort by a person with a reason', async () => {
    set(progressOf('running'))
    const paused = await dataOf(await ask(edge, 'rollout/pause', 'POST', { reason: 'lunch' }))
    expect(rolloutViewSchema.parse(paused)).to.include({ state: 'paused', reason: 'lunch', stage: 2 })
    expect(rolloutViewSchema.parse(await dataOf(await ask(edge, 'rollout/resume', 'POST'))).state).to.equal(
      'running',
    )
    const aborted = rolloutViewSchema.parse(await dataOf(await ask(edge, 'rollout/abort', 'POST')))
    expect(aborted).to.include({ state: 'ended', end: 'aborted', stage: null })
  })

  it('name the one command that makes a finished one permanent', async () => {
    set(progressOf('finished'), 100)
    const view = rolloutViewSchema.parse(await dataOf(await ask(edge, 'rollout')))
    expect(view.next).to.equal('chat-cutover mode set runtime')
    expect(view.summary).to.equal(
      'finished, 100% was healthy; make it permanent: chat-cutover mode set runtime',
    )
  })

  it('name a command that moves those alone whom a finished one was for', async () => {
    const nextOf = async (part: object, percent = 100): Promise<string | null> => {
      const stages = [10, percent]
      set({ state: 'finished', plan: { stages, everyMinutes: 30, ...part }, since: 0 }, percent)
      const view = rolloutViewSchema.parse(await dataOf(await ask(edge, 'rollout')))
      expect(view.summary).to.include(view.next ?? 'write a rule for its orgs or agents')
      return view.next
    }
    expect(await nextOf({}, 50)).to.equal('chat-cutover canary set 50')
    expect(await nextOf({ orgIds: ['acme', "o'neil & co"] })).to.equal(
      "chat-cutover orgs add acme 'o'\\''neil & co' && chat-cutover rollout abort",
    )
    expect(await nextOf({ orgIds: ['acme'] }, 50)).to.equal(null)
    expect(await nextOf({ agentIds: ['assistant'] })).to.equal(null)
    expect(await nextOf({ orgIds: Array.from({ length: 21 }, (_, at) => `org-${at}`) })).to.equal(null)
  })

  it('list the changes, newest first, in the caller’s language', async () => {
    edge.journal.keepRolloutChange(sampleChange())
    edge.journal.keepRolloutChange(
      sampleChange({
        kind: 'lowered',
        fromPercent: 25,
        toPercent: 5,
        cause: 'error_rate',
        value: 0.6,
        threshold: 0.5,
      }),
    )
    const page = z.array(rolloutEntrySchema).parse(await dataOf(await ask(edge, 'rollout/history?limit=1')))
    expect(page).to.have.length(1)
    expect(page[0]?.reason).to.equal(
      'Rollout went back from 25% to 5%: Error rate too high: 60.00% (threshold: 50.00%)',
    )
    const rest = await dataOf(await ask(edge, `rollout/history?before=${page[0]?.id}`))
    expect(z.array(rolloutEntrySchema).parse(rest)[0]?.kind).to.equal('raised')
    edge.journal.available = false
    expect((await ask(edge, 'rollout/history')).status).to.equal(503)
  })

  it('are explained for one session', async () => {
    await edge.close()
    edge = await startEdge({ flags: { rollout: { on: true, revision: 3 } } })
    set(progressOf('running'))
    const explain = async () => explanationSchema.parse(await dataOf(await ask(edge, 'explain')))
    const { decision, steps } = await explain()
    expect(decision).to.include({ mode: 'runtime_orchestrator', reason: 'rollout' })
    expect(steps.filter(({ decides }) => decides).map(({ flag }) => flag)).to.deep.equal([
      'chat-runtime-rollout',
    ])
    edge.rollout.own = { on: false }
    expect((await explain()).steps.find(({ flag }) => flag === 'chat-runtime-rollout')?.why).to.equal(
      "this session is not among the 5% of the rollout (this replica's own word, newer than the provider's)",
    )
  })

  it('give turns to the runtime, and its outcomes to the rollout alone where it decided', async () => {
    await edge.close()
    edge = await startEdge({ flags: { rollout: { on: true } } })
    const turn = async () =>
      (
        await fetch(`${edge.url}/api/v1/chat/start`, {
          method: 'POST',
          headers: { authorization: await bearer({}), 'content-type': 'application/json' },
          body: JSON.stringify({ agentId: 'assistant', message: 'Hi' }),
        })
      ).text()
    expect(await turn()).to.match(/"decision":\{"mode":"runtime_orchestrator","reason":"rollout"/)
    expect(edge.rollout.outcomes).to.have.length(1)
    expect(edge.fallback.decided[0]?.modeWithoutOverride).to.equal('runtime_orchestrator')
    edge.fallback.own = { on: true }
    await turn()
    expect(edge.rollout.outcomes).to.have.length(1)
    expect(edge.fallback.decided[1]?.modeWithoutOverride).to.equal('runtime_orchestrator')
    expect(edge.decisions.map(({ reason }) => reason)).to.deep.equal(['rollout', 'fallback'])
  })
})
