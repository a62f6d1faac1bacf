import { expect } from 'chai'
import { rolloutViewSchema } from '../../../src/protocol/rollout.js'
import { operatorEnv, runCli } from '../../support/cli.js'
import { type Edge, startEdge } from '../../support/edge.js'
import { NO_SNAPSHOT, sampleChange } from '../../support/rollout-fakes.js'

describe('chat-cutover rollout', () => {
  let edge: Edge
  let env: Record<string, string>
  beforeEach(async () => {
    edge = await startEdge()
    env = await operatorEnv(edge)
  })
  afterEach(() => edge.close())

  const run = (words: string, over: Record<string, string> = {}) =>
    runCli(words.split(' '), { env: { ...env, LANG: 'en_US.UTF-8', ...over } })

  it('starts with the usual stages, or those that are given', async () => {
    expect((await run('rollout start')).code).to.equal(0)
    expect(edge.rollout.commands[0]).to.deep.include({
      kind: 'start',
      plan: { stages: [1, 5, 25, 100], everyMinutes: 30 },
    })
    await run('rollout abort --reason enough')
    expect(edge.rollout.commands[1]).to.deep.include({ kind: 'abort', reason: 'enough' })
    const said = await run('rollout start --stages 5%,50 --every 0.5 --org acme,globex --agent a --json')
    expect(rolloutViewSchema.parse(JSON.parse(said.out)).plan).to.deep.equal({
      stages: [5, 50],
      everyMinutes: 0.5,
      orgIds: ['acme', 'globex'],
      agentIds: ['a'],
    })
  })

  it('refuses stages and times that are none, before it asks', async () => {
    for (const words of ['--stages 5,5', '--stages 0,5', '--stages x', '--every 0', '--every soon'])
      expect((await run(`rollout start ${words}`)).code, words).to.equal(2)
    expect(edge.rollout.commands).to.deep.equal([])
  })

  it('pauses, resumes, and tells why a call is refused', async () => {
    await run('rollout start')
    expect((await run('rollout pause')).out).to.include('paused, the share stays at')
    expect((await run('rollout resume', { LANG: 'zh_CN.UTF-8' })).out).to.include('第 1/4 阶段')
    const refused = await run('rollout resume')
    expect([refused.code, refused.err]).to.satisfy(
      ([code, err]: [number, string]) => code === 1 && err.includes('not paused'),
    )
  })

  it('shows verdict, breach and the next command', async () => {
    const plan = { stages: [1, 5, 25], everyMinutes: 30 }
    const breach = { cause: 'error_rate', value: 0.6, threshold: 0.5 } as const
    const progress = { state: 'running', plan, stage: 1, since: 0, failed: { stage: 2, breach } } as const
    edge.rollout.now = {
      ...NO_SNAPSHOT,
      percent: 5,
      rollout: { ...NO_SNAPSHOT.rollout, progress },
      verdict: { kind: 'healthy' },
      evidence: { total: 40, errors: 1, timeouts: 0, avgLatencyMs: 1200 },
      waitsFor: 'time',
      secondsLeft: 90,
    }
    const { out } = await run('rollout status')
    expect(out).to.include("stage 2 of 3, 5%; waits: the stage's time is not over")
    expect(out).to.include('healthy: 40 executions, 1 error, 0 timeouts')
    expect(out).to.include('at 25%: Error rate too high: 60.00% (threshold: 50.00%); one more stops it')
    edge.rollout.now = { ...edge.rollout.now, verdict: { kind: 'insufficient_data', lacks: 'samples' } }
    expect((await run('rollout status')).out).to.include('not enough data: 40 executions')
    expect((await run('rollout status', { LANG: 'zh_CN.UTF-8' })).out).to.include('数据不足：执行 40 次')
    expect((await run('status')).out).to.match(/Rollout +stage 2 of 3, 5%/)
    edge.rollout.now = {
      ...NO_SNAPSHOT,
      percent: 25,
      rollout: { ...NO_SNAPSHOT.rollout, progress: { state: 'finished', plan, since: 0 } },
    }
    expect((await run('rollout status')).out).to.match(/Next +chat-cutover canary set 25/)
  })

  it('has no line in the status where there never was one', async () => {
    expect((await run('status')).out).not.to.include('Rollout')
  })

  it('lists what happened', async () => {
    edge.journal.keepRolloutChange(sampleChange())
    expect((await run('rollout history')).out).to.include('5% → 25%')
  })
})
