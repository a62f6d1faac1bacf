import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { type Clock, systemClock } from '../../src/core/clock.js'
import { silentLogger } from '../../src/core/logger.js'
import { createPulse, type Pulse } from '../../src/core/pulse/pulse.js'
import { type Stalls, watchStalls } from '../../src/core/pulse/stalls.js'
import type { Outcome } from '../../src/execution/outcome.js'
import { createRuntimeOrchestrator } from '../../src/execution/runtime/runtime-orchestrator.js'
import { holdUp } from '../support/hold-up.js'
import { manualClock } from '../support/manual-clock.js'
import { pulledTurn } from '../support/pulled.js'
import { sampleLimits, sampleTurn } from '../support/sample-turn.js'
import { text } from '../support/scripted-backend.js'
import { acting, settled } from '../support/turn-runner.js'

const frame = (content: string): string =>
  `data: {"event":"text_chunk","data":{"content":"${content}"}}\r\n\r\n`

/** As while a turn runs. */
function busyPulse(clock: Clock): Pulse {
  const pulse = createPulse(clock, () => true)
  pulse.wake()
  return pulse
}

describe('a process that stood still', () => {
  let server: Server | undefined
  let stalls: Stalls | undefined

  afterEach(async () => {
    stalls?.stop()
    server?.closeAllConnections()
    await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
    server = undefined
  })

  for (const stalledIn of ['head', 'gap'] as const)
    it(`reads what waits in the socket before a deadline strikes (${stalledIn})`, async () => {
      server = createServer((request, response) => {
        request.resume().once('end', () => {
          const begin = (): void => {
            response.writeHead(200, { 'content-type': 'text/event-stream' })
            response.write(frame('one'))
          }
          // Sent, and then the whole process stands still: what was sent waits in the reader's socket.
          if (stalledIn === 'gap') begin()
          setImmediate(() => {
            if (stalledIn === 'head') begin()
            response.end(`${frame('two')}data: [DONE]\r\n\r\n`)
            holdUp(700)
          })
        })
      })
      await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const watch = watchStalls(systemClock, busyPulse(systemClock))
      stalls = watch
      watch.start()
      const clock = { ...systemClock, stalledMs: () => watch.totalMs() }
      const runtime = createRuntimeOrchestrator({ url }, { clock })
      const outcomes: Outcome[] = []
      const limits = { ...sampleLimits, headersMs: 300, firstContentMs: 300, gapMs: 300 }
      const never = acting('direct_llm', manualClock(), [])
      const turn = pulledTurn(
        sampleTurn(),
        'runtime_orchestrator',
        { runtime_orchestrator: runtime, direct_llm: never },
        limits,
        {
          clock,
          logger: silentLogger,
          signal: new AbortController().signal,
          record: (outcome) => void outcomes.push(outcome),
          after: () => undefined,
        },
      )
      let said = ''
      let step = await turn.next()
      for (; step.done !== true; step = await turn.next())
        for (const event of step.value) if (event.type === 'text') said += event.data.content
      expect([step.value.kind, said]).to.deep.equal(['answered', 'onetwo'])
      expect(outcomes).to.have.length(1)
      expect(outcomes[0]).to.include({ result: 'ok' })
      // Nor does its latency count what was our own.
      expect(outcomes[0]?.latencyMs).to.be.lessThan(600)
      runtime.close()
    })

  it('gives a deadline back the time that was lost, and no more', async () => {
    const clock = manualClock()
    const watch = watchStalls(clock, busyPulse(clock))
    stalls = watch
    watch.start()
    const backend = acting('direct_llm', clock, [
      { do: 'connect' },
      { do: 'headers' },
      { do: 'send', events: [text('a')] },
      { do: 'hang' },
    ])
    const outcomes: Outcome[] = []
    const turn = pulledTurn(
      sampleTurn(),
      'direct_llm',
      { direct_llm: backend, runtime_orchestrator: backend },
      { ...sampleLimits, gapMs: 60_000 },
      {
        clock: { ...clock, stalledMs: () => watch.totalMs() },
        logger: silentLogger,
        signal: new AbortController().signal,
        record: (outcome) => void outcomes.push(outcome),
        after: () => undefined,
      },
    )
    await turn.next()
    const end = turn.next()
    await settled()
    clock.advance(10_000)
    clock.stall(65_000)
    clock.advance(49_000)
    await settled()
    expect(outcomes).to.deep.equal([])
    clock.advance(1_500)
    expect((await end).value).to.include({ kind: 'failed', code: 'gap_timeout' })
    expect(outcomes[0]?.latencyMs).to.be.within(59_900, 60_500)
  })

  it('knows for how long, whoever asks first', () => {
    const clock = manualClock()
    const told: number[] = []
    const watch = watchStalls(clock, busyPulse(clock), (ms) => told.push(ms))
    expect(watch.totalMs()).to.equal(0)
    watch.start()
    clock.advance(1_050)
    expect(watch.totalMs()).to.equal(0)
    clock.stall(65_000)
    expect(watch.totalMs()).to.equal(64_950)
    clock.advance(100)
    expect([watch.totalMs(), told]).to.deep.equal([64_950, [64_950]])
    clock.stall(140)
    expect(watch.totalMs()).to.equal(64_950)
    clock.stall(60)
    expect(watch.totalMs()).to.equal(64_950 + 100)
    watch.stop()
    clock.stall(1_000_000)
    expect(watch.totalMs()).to.equal(64_950)
    expect(clock.pending()).to.equal(0)
  })

  it('knows it at rest too, but for half a second of it', () => {
    const clock = manualClock()
    const told: number[] = []
    const watch = watchStalls(clock, createPulse(clock), (ms) => told.push(ms))
    watch.start()
    clock.advance(10_000)
    clock.stall(65_000)
    expect(watch.totalMs()).to.equal(64_500)
    clock.advance(0)
    expect([watch.totalMs(), told]).to.deep.equal([64_500, [64_500]])
    watch.stop()
  })
})
