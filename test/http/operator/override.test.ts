import { expect } from 'chai'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import type { OverrideSource } from '../../../src/fallback/fallback.js'
import { overrideWhy } from '../../../src/http/operator/override-step.js'
import { explanationSchema } from '../../../src/protocol/api.js'
import { NEUTRAL } from '../../../src/store/override/override.js'
import { dataOf } from '../../support/answers.js'
import { startTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { QUIET } from '../../support/fallback-fakes.js'
import { scripted } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const RUNTIME: EdgeOptions = { flags: { mode: { value: 'runtime_orchestrator', reason: 'targeting_match' } } }

const doneOf = async (edge: Edge) => {
  const { terminal } = await startTurn(edge.url, await bearer())
  if (terminal?.event !== 'done') throw new Error(`no done: ${JSON.stringify(terminal)}`)
  return terminal.data
}

describe('the override of a turn', () => {
  it("is this replica's own where that is newer, in both directions", async () => {
    const edge = await startEdge(RUNTIME)
    expect((await doneOf(edge)).decision).to.include({ mode: 'runtime_orchestrator' })
    edge.fallback.own = { on: true }
    const fallen = await doneOf(edge)
    expect(fallen.decision).to.deep.equal({ mode: 'direct_llm', reason: 'fallback', shadow: false })
    expect(fallen.executionMode).to.equal('direct_llm')
    await edge.close()

    const back = await startEdge({ flags: { ...RUNTIME.flags, override: { on: true, revision: 3 } } })
    expect((await doneOf(back)).decision.reason).to.equal('fallback')
    back.fallback.own = { on: false }
    expect((await doneOf(back)).decision.mode).to.equal('runtime_orchestrator')
    await back.close()
  })

  describe('where the direct LLM fails before it answers', () => {
    const failing = () => {
      const error = new ExecutionError('llm_unauthorized', 'headers', 'no key', false, { httpStatus: 401 })
      const direct = scripted('direct_llm', async function* () {
        yield* []
        throw error
      })
      return { direct_llm: direct }
    }

    it('lets the runtime answer while that is well', async () => {
      const edge = await startEdge({ ...RUNTIME, backends: failing() })
      edge.fallback.own = { on: true }
      edge.fallback.runtimeWell = true
      const done = await doneOf(edge)
      expect(done.executionMode).to.equal('runtime_orchestrator')
      expect(done.decision).to.include({ mode: 'direct_llm', reason: 'fallback' })
      expect(done.failover).to.deep.include({
        from: 'direct_llm',
        cause: 'llm_unauthorized',
        phase: 'headers',
      })
      expect(edge.fallback.outcomes.map(({ mode, result }) => [mode, result])).to.deep.equal([
        ['direct_llm', 'error'],
        ['runtime_orchestrator', 'ok'],
      ])
      edge.fallback.runtimeWell = false
      expect((await startTurn(edge.url, await bearer())).terminal?.event).to.equal('error')
      await edge.close()
    })

    it('sends nobody there whom the flags do not give the runtime', async () => {
      const flags = { mode: { value: 'direct_llm', reason: 'targeting_match' } } as const
      const edge = await startEdge({ flags, backends: failing() })
      edge.fallback.runtimeWell = true
      for (const own of [undefined, { on: true }]) {
        edge.fallback.own = own
        const { terminal } = await startTurn(edge.url, await bearer())
        expect(terminal?.event === 'error' && terminal.data.code).to.equal('llm_unauthorized')
      }
      await edge.close()
    })
  })

  it('is asked for with the caller and what the provider said', async () => {
    const edge = await startEdge({ flags: { override: { on: false, revision: 3 } } })
    const asked: unknown[] = []
    edge.fallback.overrideFor = (subject, provided) => {
      asked.push({ subject, provided })
      return { on: provided.on, whose: 'provider' }
    }
    const { sessionId } = await doneOf(edge)
    expect(asked).to.deep.equal([
      {
        subject: { orgId: 'org-1', userId: 'user-1', agentId: 'assistant', sessionId },
        provided: { on: false, revision: 3 },
      },
    ])
    await edge.close()
  })

  it('does not hide from the fallback whose turn it was: decision and mode without it', async () => {
    const edge = await startEdge(RUNTIME)
    await doneOf(edge)
    edge.fallback.own = { on: true }
    await doneOf(edge)
    expect(edge.fallback.decided).to.deep.equal([
      {
        decision: { mode: 'runtime_orchestrator', reason: 'targeting_match', shadow: false },
        modeWithoutOverride: 'runtime_orchestrator',
      },
      {
        decision: { mode: 'direct_llm', reason: 'fallback', shadow: false },
        modeWithoutOverride: 'runtime_orchestrator',
      },
    ])
    await edge.close()
  })

  it('never cuts a running turn', async () => {
    let goOn: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let isHeld = false
    const runtime = scripted('runtime_orchestrator', async function* (_turn, call) {
      call.onConnected()
      call.onHeaders()
      yield [{ type: 'text', data: { content: 'a' } }]
      isHeld = true
      await held
      yield [{ type: 'text', data: { content: 'b' } }]
    })
    const edge = await startEdge({ ...RUNTIME, backends: { runtime_orchestrator: runtime } })
    const turn = startTurn(edge.url, await bearer())
    await until('the middle of the turn', () => isHeld)
    edge.fallback.own = { on: true }
    goOn()
    const { text, terminal } = await turn
    expect([text, terminal?.event]).to.deep.equal(['ab', 'done'])
    await edge.close()
  })

  it('both outcomes of a failed-over turn reach the judged and the public window', async () => {
    const failing = scripted('runtime_orchestrator', async function* () {
      yield []
      throw new Error('boom')
    })
    const edge = await startEdge({ ...RUNTIME, backends: { runtime_orchestrator: failing } })
    await doneOf(edge)
    const seen = edge.fallback.outcomes.map(({ mode, result, orgId }) => [mode, result, orgId])
    expect(seen).to.deep.equal([
      ['runtime_orchestrator', 'error', 'org-1'],
      ['direct_llm', 'ok', 'org-1'],
    ])
    expect(edge.windows.outcomes).to.deep.equal(edge.fallback.outcomes)
    expect(edge.outcomes).to.deep.equal(edge.fallback.outcomes)
    await edge.close()
  })
})

describe('the explanation of the override', () => {
  const explain = async (edge: Edge) => {
    const response = await fetch(`${edge.url}/api/v1/runtime/explain`, {
      headers: { authorization: await bearer({ role: 'admin' }), 'accept-language': 'en' },
    })
    return explanationSchema.parse(await dataOf(response))
  }

  it('decides as a turn would, and says that our own is newer', async () => {
    const edge = await startEdge(RUNTIME)
    edge.fallback.own = { on: true }
    edge.fallback.now = { ...QUIET, override: { ...NEUTRAL, revision: 4 } }
    const { decision, steps } = await explain(edge)
    expect(decision).to.deep.equal({ mode: 'direct_llm', reason: 'fallback', shadow: false })
    expect(steps[0]).to.deep.include({ value: true, decides: true })
    expect(steps[0]?.why).to.equal(
      "this replica's own override is newer than the provider's and on for this caller: direct_llm",
    )
    expect(steps[1]).to.include({ decides: false })
    expect(edge.fallback.decided).to.deep.equal([])
    await edge.close()
  })

  it('has a sentence for each case, in both languages', () => {
    const cases: [on: boolean, whose: OverrideSource, en: RegExp][] = [
      [true, 'provider', /^on for this caller/],
      [false, 'provider', /^off for this caller/],
      [true, 'own', /own override is newer .* on for/],
      [false, 'own', /own override is newer .* off for/],
      [true, 'tripped', /own override is newer .* on for/],
      [true, 'isolated', /only for this replica/],
    ]
    for (const [on, whose, en] of cases) {
      expect(overrideWhy({ on, whose }, 'en')).to.match(en)
      expect(overrideWhy({ on, whose }, 'zh-CN')).to.match(/\p{Script=Han}/u)
    }
  })

  it('says where the automatic fallback is for some alone, and whether these are among them', () => {
    const why = (dimension: 'orgs' | 'agents', covered: boolean) =>
      overrideWhy({ on: covered, whose: 'provider', scoped: { dimension, covered } }, 'en')
    expect(why('orgs', true)).to.match(
      /^on for this caller.*for some orgs alone, and this org is one of them$/,
    )
    expect(why('orgs', false)).to.match(/^off for this caller.*this org is not one of them$/)
    expect(why('agents', true)).to.match(/this agent is one of them$/)
    expect(why('agents', false)).to.match(/this agent is not one of them$/)
    const zh = overrideWhy({ on: true, whose: 'own', scoped: { dimension: 'orgs', covered: true } }, 'zh-CN')
    expect(zh).to.match(/自动回退仅限部分组织，该调用方的组织在其中$/)
  })

  it('gives the reason of the decision itself, whatever the revisions look like', async () => {
    // A trip of this replica that is not in the store yet: both revisions are the same, and the provider says off.
    const edge = await startEdge({ flags: { ...RUNTIME.flags, override: { on: false, revision: 4 } } })
    edge.fallback.own = { on: true }
    edge.fallback.now = { ...QUIET, override: { ...NEUTRAL, revision: 4 } }
    const { steps } = await explain(edge)
    expect(steps[0]?.why).to.match(/^this replica's own override is newer/)
    await edge.close()
  })
})
