import { writeFileSync } from 'node:fs'
import { expect } from 'chai'
import { replaySchema } from '../../../src/protocol/replay.js'
import { operatorEnv, runCli } from '../../support/cli.js'
import { sampleExecution } from '../../support/comparisons.js'
import { type Edge, startEdge } from '../../support/edge.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'

describe('chat-cutover replay', () => {
  const directory = temporaryDirectory()
  let edge: Edge
  let env: Record<string, string>

  beforeEach(async () => {
    edge = await startEdge()
    env = await operatorEnv(edge)
    const start = Date.now() - 20 * 60_000
    for (let turn = 0; turn < 1200; turn += 1)
      edge.journal.keepExecution(
        sampleExecution({
          at: start + turn * 250,
          mode: 'runtime_orchestrator',
          sessionId: `s-${turn}`,
          result: turn > 600 && turn % 5 < 2 ? 'error' : 'ok',
          latencyMs: 100,
        }),
      )
  })
  afterEach(() => edge.close())

  const file = (text: string): string => {
    const path = directory.path('guardrails.json')
    writeFileSync(path, text)
    return path
  }

  it('shows what would have tripped, when and for how long, beside what happened', async () => {
    const path = file('{"errorRate": 0.3, "gapMs": 1000}')
    const { code, out, err } = await runCli(['replay', '--guardrails', path], { env })
    expect([code, err]).to.deep.equal([0, ''])
    expect(out).to.match(/^Replay {2}\S+ \S+Z – \S+ \S+Z\nerrorRate {2}0\.5 → 0\.3\n/)
    expect(out).to.match(/\ngapMs {2}60000 → 1000 {2}\(changes nothing in a replay\)\n/)
    expect(out).to.match(/\nTrips +[1-9]\d* +0\n/)
    expect(out).to.match(/\n\S+ \S+Z +replayed +trip +normal → fallback +\d+ (s|min) +Error rate too high: /)
    expect(out).to.match(/\n1200 executions, 0 recovery shadows, 0 probe verdicts, 0 commands\n/)
    const zh = await runCli(['replay', '--guardrails', path, '--lang', 'zh-CN'], { env })
    expect(zh.out)
      .to.match(/^重放 /)
      .and.match(/触发次数/)
      .and.match(/错误率过高/)
  })

  it('gives a script the answer of the API', async () => {
    const { code, out } = await runCli(['replay', '--guardrails', file('{}'), '--json'], { env })
    const answer = replaySchema.parse(JSON.parse(out))
    expect([code, answer.replayed.trips, answer.changed]).to.deep.equal([0, 0, []])
  })

  it('says what is wrong with its file, and what the service refuses', async () => {
    const missing = await runCli(['replay', '--guardrails', directory.path('none.json')], { env })
    expect([missing.code, missing.err]).to.satisfy(
      ([code, text]: [number, string]) => code === 2 && /none\.json cannot be read: /.test(text),
    )
    for (const text of ['[1]', 'errorRate: 1', '']) {
      const { code, err } = await runCli(['replay', '--guardrails', file(text)], { env })
      expect([code, err.includes('must hold a JSON object')], text).to.deep.equal([2, true])
    }
    const refused = await runCli(['replay', '--guardrails', file('{"errorRates": 1}')], { env })
    expect([refused.code, refused.err.includes('guardrails.errorRates')]).to.deep.equal([1, true])
    expect((await runCli(['replay'], { env })).code).to.equal(2)
  })
})
