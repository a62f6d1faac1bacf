import { join } from 'node:path'
import { expect } from 'chai'
import { systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import type { ExecutionFacts } from '../../src/journal/journal.js'
import { openSqliteJournal } from '../../src/journal/sqlite/sqlite-journal.js'
import { baselineSchema } from '../../src/protocol/baseline.js'
import { type MetricsView, metricsSchema } from '../../src/protocol/fallback.js'
import { EXECUTION_MODES, type ExecutionMode } from '../../src/protocol/modes.js'
import { dataOf } from '../support/answers.js'
import { postTurn, readTurn, type TurnSeen } from '../support/chat-client.js'
import { runCli } from '../support/cli.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { UNBOUNDED_RETENTION } from '../support/unbounded-retention.js'
import { until } from '../support/until.js'

type Org = 'on-runtime' | 'on-direct'
/** Where a client leaves by itself: after the first text, or after waiting for long without any. */
type Leaving = 'after_content' | 'without_content'

interface Phase {
  readonly name: string
  readonly turns: number
  readonly org: Org
  readonly llm?: object
  readonly runtime?: object
  readonly leaving?: Leaving
}

/** 500 turns. What each comes to is counted by the client, and told by the service in four ways. */
const PHASES: readonly Phase[] = [
  { name: 'success on the runtime', turns: 130, org: 'on-runtime' },
  { name: 'success on the direct LLM', turns: 130, org: 'on-direct' },
  { name: 'failover after an HTTP error', turns: 60, org: 'on-runtime', runtime: { status: 503 } },
  { name: 'failover after a timeout', turns: 30, org: 'on-runtime', runtime: { hang: 'body' } },
  { name: 'error in the answer', turns: 40, org: 'on-runtime', runtime: { errorEvent: { afterEvents: 4 } } },
  {
    name: 'filtered by the direct LLM',
    turns: 20,
    org: 'on-direct',
    llm: { errorWith200: 'content_filter' },
  },
  { name: 'rejected by the direct LLM', turns: 20, org: 'on-direct', llm: { contextCharacters: 1 } },
  {
    name: 'left in the answer',
    turns: 20,
    org: 'on-runtime',
    runtime: { endless: true, gapMs: 50 },
    leaving: 'after_content',
  },
  {
    name: 'left after a long wait',
    turns: 10,
    org: 'on-runtime',
    runtime: { hang: 'body' },
    leaving: 'without_content',
  },
  // Last: an endpoint rests after these, and what follows would be refused at once.
  { name: 'timeout of the direct LLM', turns: 10, org: 'on-direct', llm: { hang: 'body' } },
  { name: 'error of the direct LLM', turns: 30, org: 'on-direct', llm: { status: 500 } },
]
const TURNS = 500
/** at a time: the machine of the tests is small */
const AT_ONCE = 20
/** ms; guardrails of the test: a client that waits for `WAIT_MS` is between them */
const ABANDON_MS = 300
const WAIT_MS = 800
const FIRST_CONTENT_MS = 4_000

describe('the figures of 500 turns', function () {
  this.timeout(240_000)
  const flags = temporaryFlags()
  const database = join(flags.folder, 'chat.db')
  const seen: (TurnSeen | Leaving)[] = []
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let samples: Map<string, number>
  let api: MetricsView
  let admin: string

  const setFaults = async (simulator: RunningProcess, body: object): Promise<void> => {
    const response = await fetch(`${simulator.url}/_faults`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(await response.text())
  }

  const turn = async ({ org, leaving }: Phase, user: string): Promise<TurnSeen | Leaving> => {
    const authorization = await bearer({ org, user })
    const response = await postTurn(service.url, authorization, 'start', {
      agentId: 'assistant',
      message: 'Hello',
    })
    if (leaving === undefined) return readTurn(response)
    if (leaving === 'after_content') await firstText(response)
    else {
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
      await response.body?.cancel()
    }
    return leaving
  }

  const scraped = async (): Promise<Map<string, number>> => {
    const text = await (await fetch(`${service.url}/metrics`)).text()
    return new Map(
      text.split('\n').flatMap((line) => {
        const [, name = '', value] = /^(chat_.+) (\S+)$/.exec(line) ?? []
        return value === undefined ? [] : [[name, Number(value)] as const]
      }),
    )
  }
  /** All series of a name that have these labels, added up. */
  const sum = (name: string, ...labels: readonly string[]): number =>
    [...samples]
      .filter(
        ([series]) => series.replace(/\{.*/, '') === name && labels.every((label) => series.includes(label)),
      )
      .reduce((total, [, value]) => total + value, 0)
  const executions = (mode: ExecutionMode, result: string): number =>
    sum('chat_executions_total', `mode="${mode}"`, `result="${result}"`)

  before(async () => {
    flags.edit((document) => {
      const { flags: all } = document
      const off = all['chat-runtime-fallback-policy']
      if (off !== undefined) off.defaultVariant = 'off'
      const guardrails = all['chat-runtime-guardrails']?.variants.standard
      Object.assign(guardrails ?? {}, {
        firstContentMs: FIRST_CONTENT_MS,
        abandonAfterMs: ABANDON_MS,
        llm: { firstContentMs: FIRST_CONTENT_MS },
      })
    })
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: { CHAT_RUNTIME_ENABLED_ORGS: 'on-runtime' },
    })
    admin = await bearer({ role: 'admin', user: 'operator' })
    for (const phase of PHASES) {
      await Promise.all([setFaults(llm, phase.llm ?? {}), setFaults(runtime, phase.runtime ?? {})])
      for (let done = 0; done < phase.turns; done += AT_ONCE) {
        const many = Math.min(AT_ONCE, phase.turns - done)
        const turns = Array.from({ length: many }, (_, n) => turn(phase, `${phase.name} ${done + n}`))
        seen.push(...(await Promise.all(turns)))
      }
    }
    // A client that left is told of later than by its own end.
    await until('every turn to have ended', async () => {
      samples = await scraped()
      return sum('chat_turns_total') === TURNS && sum('chat_open_streams') === 0
    })
    const response = await fetch(`${service.url}/api/v1/runtime/metrics`, {
      headers: { authorization: admin },
    })
    api = metricsSchema.parse(await dataOf(response))
  })
  after(async () => {
    await service?.end()
    await Promise.all([llm?.end(), runtime?.end()])
    flags.remove()
  })

  const told = seen as readonly (TurnSeen | Leaving)[]
  const ended = (event: 'done' | 'error'): TurnSeen[] =>
    told.filter((one): one is TurnSeen => typeof one === 'object' && one.terminal?.event === event)

  it('are those the clients saw, in chat_turns_total and chat_http_requests_total', () => {
    expect(PHASES.reduce((all, { turns }) => all + turns, 0)).to.equal(TURNS)
    expect(told.length).to.equal(TURNS)
    const failedOver = ended('done').filter(
      ({ terminal }) => terminal?.event === 'done' && terminal.data.failover,
    )
    expect([ended('done').length, ended('error').length, failedOver.length]).to.deep.equal([350, 120, 90])
    expect(sum('chat_turns_total', 'outcome="answered"')).to.equal(350)
    expect(sum('chat_turns_total', 'outcome="failed"')).to.equal(120)
    expect(sum('chat_turns_total', 'outcome="aborted"')).to.equal(30)
    expect(sum('chat_turn_seconds_count')).to.equal(470)
    expect(sum('chat_failovers_total')).to.equal(90)
    expect(sum('chat_decisions_total')).to.equal(TURNS)
    const route = 'route="POST /api/v1/chat/start"'
    expect(sum('chat_http_requests_total', route)).to.equal(TURNS)
    for (const mode of EXECUTION_MODES) {
      const byMode = (event: 'done' | 'error') =>
        ended(event).filter(({ terminal }) => terminal?.data.executionMode === mode).length
      expect(sum('chat_turns_total', 'outcome="answered"', `mode="${mode}"`), mode).to.equal(byMode('done'))
      expect(sum('chat_turns_total', 'outcome="failed"', `mode="${mode}"`), mode).to.equal(byMode('error'))
    }
  })

  it('add up to the executions that were asked for', () => {
    const result = (mode: ExecutionMode) =>
      ['ok', 'error', 'timeout', 'aborted', 'abandoned', 'rejected'].map((one) => executions(mode, one))
    expect(result('runtime_orchestrator')).to.deep.equal([130, 100, 30, 20, 10, 0])
    expect(result('direct_llm')).to.deep.equal([220, 30, 10, 0, 0, 40])
  })

  for (const [mode, side] of [
    ['runtime_orchestrator', 'runtime'],
    ['direct_llm', 'direct'],
  ] as const)
    it(`agree between Prometheus and the metrics API: ${side}`, () => {
      const {
        total,
        success,
        error,
        timeout,
        aborted,
        abandoned,
        rejected,
        errorRate,
        timeoutRate,
        avgLatencyMs,
      } = api[side]
      const label = `mode="${mode}"`
      expect(success).to.equal(executions(mode, 'ok')).and.equal(sum('chat_execution_success_total', label))
      expect(timeout).to.equal(executions(mode, 'timeout'))
      // A timeout is an error too.
      expect(error)
        .to.equal(executions(mode, 'error') + timeout)
        .and.equal(sum('chat_execution_error_total', label))
      expect(total)
        .to.equal(success + error)
        .and.equal(sum('chat_execution_total', label))
        .and.equal(sum('chat_execution_latency_ms_count', label))
        .and.equal(sum('chat_execution_duration_seconds_count', label))
      expect([abandoned, rejected]).to.deep.equal([
        executions(mode, 'abandoned'),
        executions(mode, 'rejected'),
      ])
      expect(aborted).to.equal(executions(mode, 'aborted'))
      expect(errorRate).to.be.closeTo(error / total, 0.0001)
      expect(timeoutRate).to.be.closeTo(timeout / total, 0.0001)
      // The API shows whole ms, and three digits below 100.
      expect(avgLatencyMs).to.be.closeTo(sum('chat_execution_latency_ms_sum', label) / total, 0.51)
    })

  it('agree with the command line', async () => {
    const env = { CHAT_URL: service.url, CHAT_TOKEN: admin.replace('Bearer ', '') }
    const { code, out } = await runCli(['metrics', '--json'], { env })
    const { runtime: theirs, direct } = metricsSchema.parse(JSON.parse(out))
    expect([code, theirs, direct]).to.deep.equal([0, api.runtime, api.direct])
    const table = await runCli(['metrics'], { env })
    expect(table.out).to.match(new RegExp(`\\nExecutions +${api.direct.total} +${api.runtime.total}\\n`))
  })

  it('agree with the journal, and with what reads it', async () => {
    const response = await fetch(`${service.url}/api/v1/runtime/baseline`, {
      headers: { authorization: admin },
    })
    const { samples: counted, rows } = baselineSchema.parse(await dataOf(response))
    expect(counted).to.deep.equal({ direct: api.direct.total, runtime: api.runtime.total })
    const errorRate = rows.find(({ metric }) => metric === 'errorRate')
    expect(errorRate?.direct.value).to.be.closeTo(api.direct.errorRate, 0.0001)
    expect(errorRate?.runtime.value).to.be.closeTo(api.runtime.errorRate, 0.0001)
    // Whatever waits for the disk is written at the end.
    expect(await service.end()).to.equal(0)
    const journal = openSqliteJournal(database, {
      clock: systemClock,
      logger: silentLogger,
      retention: UNBOUNDED_RETENTION,
    })
    try {
      const span = { from: 0, to: Date.now() + 1 }
      const kept: ExecutionFacts[] = []
      for await (const page of journal.executions(span)) kept.push(...page)
      const judged = { ok: 0, error: 0, timeout: 0 }
      for await (const page of journal.judged(span)) for (const { result } of page) judged[result] += 1
      for (const mode of EXECUTION_MODES)
        for (const result of ['ok', 'error', 'timeout', 'rejected'] as const)
          expect(
            kept.filter((one) => one.mode === mode && one.result === result).length,
            `${mode} ${result}`,
          ).to.equal(executions(mode, result))
      const all = (result: string) =>
        EXECUTION_MODES.reduce((total, mode) => total + executions(mode, result), 0)
      expect(judged).to.deep.equal({
        ok: all('ok'),
        error: all('error'),
        timeout: all('timeout') + all('abandoned'),
      })
    } finally {
      await journal.close()
    }
  })
})

/** Reads until the first text has come, and leaves. */
async function firstText(response: Response): Promise<void> {
  const reader = response.body?.getReader()
  const decoder = new TextDecoder()
  let text = ''
  for (;;) {
    const chunk = await reader?.read()
    if (chunk === undefined || chunk.done) throw new Error('the stream ended before any text')
    text += decoder.decode(chunk.value, { stream: true })
    if (text.includes('"type":"text"')) break
  }
  await reader?.cancel()
}
