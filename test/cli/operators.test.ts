import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { FallbackSnapshot } from '../../src/fallback/fallback.js'
import { explanationSchema } from '../../src/protocol/api.js'
import { fallbackStatusSchema, metricsSchema, orgMetricsSchema } from '../../src/protocol/fallback.js'
import { NEUTRAL } from '../../src/store/override/override.js'
import { operatorEnv, runCli } from '../support/cli.js'
import { type Edge, startEdge } from '../support/edge.js'
import { NOTHING, QUIET } from '../support/fallback-fakes.js'
import { manualClock } from '../support/manual-clock.js'
import { sampleTransition } from '../support/transitions.js'

const TRIPPED: FallbackSnapshot = {
  ...QUIET,
  persisted: true,
  propagated: false,
  override: {
    ...NEUTRAL,
    auto: {
      state: 'fallback',
      trip: { cause: 'error_rate', value: 0.55, threshold: 0.5 },
      since: Date.UTC(2026, 0, 1),
      holdUntil: Date.UTC(2026, 0, 1, 0, 0, 30),
    },
    trips: 2,
    revision: 3,
  },
  alerts: [{ kind: 'both_sick' }],
}

describe('chat-cutover against the service', () => {
  let edge: Edge
  let env: Record<string, string>

  beforeEach(async () => {
    edge = await startEdge()
    env = await operatorEnv(edge)
  })
  afterEach(() => edge.close())

  const well = async (argv: string[], more: Record<string, string> = {}): Promise<string> => {
    const { code, out, err } = await runCli(argv, { env: { ...env, ...more } })
    expect([code, err]).to.deep.equal([0, ''])
    return out
  }

  it('status: quiet', async () => {
    const out = await well(['status'])
    expect(out).to.match(/^Service +http:\S+ \(replica-1\)\nFallback +none\n/)
    expect(out).to.match(/\nProbe +the runtime is healthy\n/)
    expect(out).to.match(/\nExecutions +0 +0\nError rate +- +-\n/)
    expect(out).not.to.contain('\u001b')
  })

  it('status: says first that the last good flags are in force, not what the file says', async () => {
    await edge.close()
    edge = await startEdge({ status: { state: 'stale' } })
    env = await operatorEnv(edge)
    expect(await well(['status'])).to.match(/\nIn force +the last good flags, not what the file says now/)
    expect(await well(['status', '--lang', 'zh-CN'])).to.match(/\n生效中 +最近一次有效的 flag，/)
  })

  it('status: tripped, in both languages, with what an operator has to look at', async () => {
    edge.fallback.now = TRIPPED
    const out = await well(['status'])
    expect(out).to.match(/\nFallback +on: the direct LLM answers \(trip 2 in a row\)\n/)
    expect(out).to.match(
      /\nWhy +Error rate too high: 55\.00% \(threshold: 50\.00%\)\nSince +2026-01-01 00:00:00Z/,
    )
    expect(out).to.match(/\nOverride +stored, not yet seen/)
    expect(out).to.match(/\nAlert +\S/)
    const zh = await well(['status'], { LANG: 'zh_CN.UTF-8' })
    expect(zh).to.match(
      /\n回退 +生效中：由直连 LLM 回答（连续第 2 次）\n原因 +错误率过高: 55\.00% \(阈值: 50\.00%\)\n/,
    )
    expect(await well(['status', '--lang', 'zh-CN'])).to.contain('生效中')
    expect(await well(['status', '--lang', 'en'], { LANG: 'zh_CN.UTF-8' })).to.contain('Fallback')
  })

  it('status: lists the replicas that share the database, and which of them are silent or gone', async () => {
    const at = (seconds: number) => ({ firstSeen: 0, lastSeen: Date.UTC(2026, 0, 1, 0, 0, seconds) })
    const shared = await startEdge({
      replicas: {
        seen: () => [
          { name: 'replica-1', version: '1.0.0', state: 'ready', ...at(60) },
          { name: 'b\u001b[2J', version: '1.0.1', state: 'draining', ...at(55) },
          { name: 'new', version: '1.0.1', state: 'starting', ...at(55) },
          { name: 'c', version: '1.0.0', state: 'ready', ...at(20) },
          { name: 'd', version: '1.0.0', state: 'stopped', ...at(10) },
          { name: 'long gone', version: '1.0.0', state: 'stopped', ...at(-3_600) },
        ],
      },
    })
    const shown = async (lang: string): Promise<string[]> =>
      (await runCli(['status', '--lang', lang], { env: await operatorEnv(shared) })).out
        .split('\n')
        .filter((line) => /^(Replica|副本) /.test(line))
        .map((line) => line.replace(/ {2,}/, ' '))
    expect(await shown('en')).to.deep.equal([
      'Replica replica-1 (answers this), 1.0.0, ready',
      'Replica b [2J, 1.0.1, ending',
      'Replica new, 1.0.1, starting',
      'Replica c, 1.0.0, silent since 2026-01-01 00:00:20Z',
      'Replica d, 1.0.0, stopped at 2026-01-01 00:00:10Z',
    ])
    expect((await shown('zh-CN'))[3]).to.equal('副本 c, 1.0.0, 自 2026-01-01 00:00:20Z 起无响应')
    await shared.close()
  })

  it('status: tells how long the hold still is', async () => {
    edge.fallback.now = TRIPPED
    const clock = manualClock(Date.UTC(2026, 0, 1, 0, 0, 10))
    const { out } = await runCli(['status'], { env, clock })
    expect(out).to.contain('(10 s), recovery in 20 s at the earliest')
  })

  it('status: colours on a screen alone, and not with NO_COLOR', async () => {
    expect((await runCli(['status'], { env, columns: 80 })).out).to.contain('\u001b[')
    expect((await runCli(['status'], { env: { ...env, NO_COLOR: '1' }, columns: 80 })).out).not.to.contain(
      '\u001b',
    )
    expect((await runCli(['status'], { env: { ...env, TERM: 'dumb' }, columns: 80 })).out).not.to.contain(
      '\u001b',
    )
  })

  it('keeps words of others from steering the terminal', async () => {
    edge.fallback.now = {
      ...QUIET,
      override: { ...NEUTRAL, manual: { scope: 'all', reason: 'ok\u001b[2J\u0007' } },
    }
    expect(await well(['status']))
      .to.contain('ok [2J')
      .and.not.to.contain('\u001b')
  })

  it('metrics: of all orgs and of one', async () => {
    const busy = {
      ...NOTHING,
      p95FirstContentMs: 40,
      total: 50,
      success: 48,
      error: 2,
      timeout: 1,
      errorRate: 0.04,
      timeoutRate: 0.02,
    }
    edge.windows.held.set('runtime_orchestrator', busy)
    edge.windows.held.set('org-1/direct_llm', { ...busy, avgLatencyMs: 1250, p50LatencyMs: 900 })
    expect(await well(['metrics'])).to.match(
      /\nExecutions +0 +50\nError rate +- +4\.0%\nTimeout rate +- +2\.0%\n[\s\S]*\nFirst content, P95 +- +40 ms\n/,
    )
    edge.windows.held.set('runtime_orchestrator', { ...busy, p95FirstContentMs: 0 })
    expect(await well(['metrics']), 'none got as far').to.match(/\nFirst content, P95 +- +-\n/)
    expect(await well(['metrics', 'org-1'])).to.match(
      /\nExecutions +50 +0\n[\s\S]*\nMean latency +1\.25 s +-\nP50 .*900 ms/,
    )
    expect(metricsSchema.parse(JSON.parse(await well(['metrics', '--json']))).runtime.total).to.equal(50)
    const ofOrg = JSON.parse(await well(['metrics', 'org-1', '--json']))
    expect(orgMetricsSchema.parse(ofOrg).direct.total).to.equal(50)
  })

  it('explain: the decision and each step', async () => {
    const out = await well(['explain', '--org', 'org-9', '--user', 'u', '--session', 's', '--agent', 'a'])
    expect(out).to.match(/^org-9 \/ u \/ a: direct LLM \(code_default\)\n\n/)
    expect(out).to.match(/\n→ +chat-execution-mode +direct_llm +\S/)
    const { context } = explanationSchema.parse(JSON.parse(await well(['explain', '--json', '--org', 'x'])))
    expect(context).to.include({ orgId: 'x', userId: 'user-1', agentId: '' })
  })

  it('baseline: both modes beside their targets, in Chinese if LANG or --lang says so', async () => {
    expect(await well(['baseline'])).to.match(/, all orgs\n\n +target /)
    const zh = /，全部组织\n\n +目标 +直连 LLM +runtime\n执行次数 /
    expect(await well(['baseline'], { LANG: 'zh_CN.UTF-8' })).to.match(zh)
    expect(await well(['baseline', '--lang', 'zh-CN'])).to.match(zh)
  })

  it('baseline: finds the service as every command does', async () => {
    const { CHAT_URL: url = '', ...more } = env
    expect((await runCli(['baseline', '--url', url, '--timeout', '5'], { env: more })).code).to.equal(0)
    expect((await runCli(['baseline', '--profile', 'x'], { env })).err).to.contain('There is no profile "x"')
    const late = await runCli(['baseline', '--timeout', '0'], { env })
    expect([late.code, late.err]).to.deep.equal([
      2,
      '--timeout: It must be a whole number from 1 to 3600, not 0\nTry: chat-cutover baseline --help\n',
    ])
  })

  it('fallback trigger: with reason, time and orgs', async () => {
    const out = await well(['fallback', 'trigger', '--reason', 'moved', '--ttl', '600'])
    expect(out).to.match(
      /^Fallback +by hand: on the direct LLM\nWhy +moved\nBy hand +everybody, until a reset\n/,
    )
    await well(['fallback', 'trigger', '--org', 'acme', '--org', 'globex,initech'])
    expect(edge.fallback.commands).to.deep.equal([
      { kind: 'trigger', userId: 'user-1', reason: 'moved', ttlSeconds: 600 },
      { kind: 'trigger', userId: 'user-1', reason: '', orgIds: ['acme', 'globex', 'initech'] },
    ])
  })

  it('fallback reset: answers the status', async () => {
    const status = fallbackStatusSchema.parse(JSON.parse(await well(['fallback', 'reset', '--json'])))
    expect(status.fallbackEnabled).to.equal(false)
    expect(edge.fallback.commands).to.deep.equal([{ kind: 'reset', userId: 'user-1' }])
  })

  it('fallback history: newest first, page by page', async () => {
    expect(await well(['fallback', 'history'])).to.equal('Nothing yet.\n')
    for (const revision of [1, 2]) edge.journal.kept.push({ ...sampleTransition({ revision }), id: revision })
    const lines = (await well(['fallback', 'history'])).split('\n')
    expect(lines.slice(1, 3).map((line) => line.split(/ {2,}/))).to.deep.equal(
      ['2', '1'].map((id) => [
        id,
        '2026-01-01 00:00:00Z',
        'trip',
        'normal → fallback',
        'replica-a',
        'Error rate too high: 55.00% (threshold: 50.00%)',
      ]),
    )
    expect((await well(['fallback', 'history', '--before', '2'])).split('\n')).to.have.length(3)
    expect(JSON.parse(await well(['fallback', 'history', '--json', '--limit', '1']))).to.have.length(1)
  })

  it('says what is wrong with the words, and where to look', async () => {
    for (const [argv, said] of [
      [['status', '--nope'], /unknown option '--nope'\nTry: chat-cutover status --help/],
      [['status', 'extra'], /too many arguments/],
      [['fallback', 'trigger', '--ttl', '0'], /--ttl.*must be a whole number from 1 to 2592000, not 0/],
      [['status', '--timeout', 'x'], /--timeout.*must be a whole number/],
      [['status', '--lang', 'fr'], /--lang.*zh-CN, en/],
      [['status', '--profile', 'none'], /There is no profile "none"[\s\S]*chat-cutover login --profile none/],
      [['status', '--url', 'nowhere'], /^--url must be an http or https URL/],
      [
        ['status', '--url', 'http://me:hunter2@host.test'],
        /^--url must not contain a user and password(?!.*hunter2)/s,
      ],
    ] as const) {
      const { code, out, err } = await runCli(argv, { env })
      expect([code, out], argv.join(' ')).to.deep.equal([2, ''])
      expect(err).to.match(said)
    }
  })

  it('says so in Chinese too', async () => {
    for (const [argv, said] of [
      [['status', '--nope'], "用法错误：未知选项 '--nope'\n请参阅：chat-cutover status --help\n"],
      [['status', 'extra'], '用法错误：参数过多\n'],
      [['mode', 'set'], "用法错误：缺少参数 'mode'\n"],
      [['replay'], "用法错误：缺少必填选项 '--guardrails <file>'\n"],
      [['status', '--url'], "用法错误：选项 '--url <url>' 缺少取值\n"],
      [
        ['status', '--timeout', 'x'],
        "选项 '--timeout <seconds>' 的取值 'x' 无效。必须是 1 到 3600 的整数，而不是 x",
      ],
      [
        ['status', '--lang=zh'],
        "用法错误：选项 '--lang <language>' 的取值 'zh' 无效。可选：zh-CN, en\n请参阅：chat-cutover status --help\n",
      ],
    ] as const) {
      const { code, err } = await runCli(argv, { env: { ...env, LANG: 'zh_CN.UTF-8' } })
      expect(code, argv.join(' ')).to.equal(2)
      expect(err).to.contain(said)
    }
  })

  it('names what the role lacks', async () => {
    const { code, err } = await runCli(['status'], { env: await operatorEnv(edge, { role: 'member' }) })
    expect(code).to.equal(1)
    expect(err).to.match(/403 forbidden[\s\S]+CHAT_OPERATOR_ROLE/)
  })
})

describe('chat-cutover against what answers otherwise', () => {
  let server: Server
  let answer: RequestListener
  let env: Record<string, string>

  beforeEach(async () => {
    server = createServer((request, response) => answer(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    env = { CHAT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, CHAT_TOKEN: 'abc' }
  })
  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  const refusing = (status: number, code: string, headers: Record<string, string> = {}): void => {
    answer = (_, response) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(JSON.stringify({ success: false, error: { code, message: 'No.', details: ['why'] } }))
    }
  }

  for (const [status, code, hint] of [
    [401, 'unauthorized', /\n {2}The token came from CHAT_TOKEN\. .*chat-cutover login/],
    [403, 'forbidden', /CHAT_OPERATOR_ROLE/],
    [412, 'precondition_failed', /flags show/],
    [422, 'unprocessable', /No\.\n {2}why\n$/],
    [429, 'rate_limited', /Try again in 7 s/],
    [503, 'overloaded', /Try again in 7 s/],
    [418, 'a_code_of_tomorrow', /No\./],
  ] as const)
    it(`says what to do about ${status}`, async () => {
      refusing(status, code, { 'retry-after': '7' })
      const { code: exit, err, out } = await runCli(['metrics'], { env })
      expect([exit, out]).to.deep.equal([1, ''])
      expect(err).to.contain(`The service refused (${status} ${code}): No.\n  why\n`).and.match(hint)
      const { err: zh } = await runCli(['metrics', '--lang', 'zh-CN'], { env })
      expect(zh).to.contain(`服务拒绝了请求（${status} ${code}）`)
    })

  it('gives up after --timeout', async () => {
    answer = () => undefined
    const { code, err } = await runCli(['metrics', '--timeout', '1'], { env })
    expect(code).to.equal(1)
    expect(err).to.contain('it did not answer within 1 s')
  })

  it('ends by Ctrl-C with 130 and without a word', async () => {
    const interrupt = new AbortController()
    answer = () => interrupt.abort()
    expect(await runCli(['metrics'], { env, interrupt: interrupt.signal })).to.deep.equal({
      code: 130,
      out: '',
      err: '',
    })
  })

  it('leaves out what a newer service tells, and says so where the shape is another one', async () => {
    const newer = { ...NOTHING, tomorrow: 1 }
    let data: object = { direct: newer, runtime: newer, fallbackEnabled: false, fallbackReason: '', more: {} }
    answer = (_, response) => response.end(JSON.stringify({ success: true, data }))
    const { code, out } = await runCli(['metrics', '--json'], { env })
    expect(code).to.equal(0)
    expect(JSON.parse(out)).to.deep.equal({
      direct: NOTHING,
      runtime: NOTHING,
      fallbackEnabled: false,
      fallbackReason: '',
    })
    data = { ...data, fallbackEnabled: 'no' }
    expect((await runCli(['metrics'], { env })).err).to.contain('is of another version')
  })
})
