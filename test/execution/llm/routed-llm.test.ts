import { expect } from 'chai'
import fc from 'fast-check'
import type { ChatBackend, ExecutionCall, Turn } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { createRoutedLlm } from '../../../src/execution/llm/routed-llm.js'
import type { Outcome } from '../../../src/execution/outcome.js'
import { TurnAborted, type TurnResult } from '../../../src/execution/turn-result.js'
import { LlmGate } from '../../../src/llm/gate/gate.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { manualClock } from '../../support/manual-clock.js'
import { pulledTurn } from '../../support/pulled.js'
import { sampleLimits, sampleTurn } from '../../support/sample-turn.js'
import { text } from '../../support/scripted-backend.js'
import { type Action, acting, settled } from '../../support/turn-runner.js'

const HEAD: readonly Action[] = [{ do: 'connect' }, { do: 'headers' }]
const failing = (error: ExecutionError): readonly Action[] => [{ do: 'throw', error }]
const unreachable = failing(new ExecutionError('llm_unreachable', 'connect', 'refused'))
const http = (httpStatus: number, retryAfterMs?: number): readonly Action[] =>
  failing(
    new ExecutionError(httpStatus === 429 ? 'llm_rate_limited' : 'llm_http_error', 'headers', 'HTTP', false, {
      httpStatus,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    }),
  )
const reset = failing(new ExecutionError('llm_disconnected', 'streaming', 'reset'))
const say = (content: string): Action => ({ do: 'send', events: [text(content)] })
const answer = (content: string): readonly Action[] => [...HEAD, say(content)]

/** What each request at an endpoint does, the last one again and again; and how many requests it takes at a time. */
type Script = readonly (readonly Action[])[]

function setUp(scripts: Readonly<Record<string, Script>>, maxConcurrent?: number) {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const sent: string[] = []
  const calls: ExecutionCall[] = []
  const causes: string[] = []
  const names = Object.keys(scripts)
  const gate = new LlmGate(
    names.map((name) => ({ name, ...(maxConcurrent === undefined ? {} : { maxConcurrent }) })),
    { clock, onRest: () => undefined, onBack: () => undefined },
  )
  const backend = (name: string): ChatBackend & { close(): void } => {
    let requests = 0
    return {
      mode: 'direct_llm',
      execute(turn, call, sink) {
        sent.push(name)
        calls.push(call)
        const script = scripts[name] ?? []
        const actions = script[Math.min(requests++, script.length - 1)] ?? []
        return acting('direct_llm', clock, actions).execute(turn, call, sink)
      },
      close: () => undefined,
    }
  }
  const routed = createRoutedLlm(new Map(names.map((name) => [name, backend(name)])), {
    clock,
    logger,
    random: () => 0,
    gate,
    onRequest: (endpoint) => ({ end: (cause) => void causes.push(`${endpoint} ${cause}`) }),
  })
  return { clock, gate, lines, sent, calls, causes, routed, start: starter(routed, clock, logger) }
}

type Around = ReturnType<typeof setUp>

interface Running {
  shown: string
  result: TurnResult | undefined
  readonly outcomes: Outcome[]
  readonly controller: AbortController
}

function starter(
  routed: ReturnType<typeof createRoutedLlm>,
  clock: ReturnType<typeof manualClock>,
  logger: ReturnType<typeof capturingLogger>['logger'],
) {
  return (turn: Turn = sampleTurn()): Running => {
    const running: Running = { shown: '', result: undefined, outcomes: [], controller: new AbortController() }
    const execution = pulledTurn(
      turn,
      'direct_llm',
      { direct_llm: routed, runtime_orchestrator: routed },
      sampleLimits,
      {
        clock,
        logger,
        signal: running.controller.signal,
        record: (outcome) => running.outcomes.push(outcome),
        after: () => undefined,
      },
    )
    void (async () => {
      for (;;) {
        const step = await execution.next()
        if (step.done) {
          running.result = step.value
          return
        }
        for (const event of step.value) if (event.type === 'text') running.shown += event.data.content
      }
    })()
    return running
  }
}

/** Until the turn ends, in the time of the test's clock. */
async function ended(running: Running, { clock }: Around): Promise<TurnResult> {
  await settled()
  while (running.result === undefined && clock.step()) await settled()
  if (running.result === undefined) throw new Error('the turn does not end')
  return running.result
}

/** 1,000 turns, 100 a second, to their ends. */
async function manyTurns(around: Around): Promise<readonly Running[]> {
  const all: Running[] = []
  for (let n = 0; n < 1000; n++) {
    all.push(around.start())
    await settled()
    around.clock.advance(10)
  }
  for (const running of all) await ended(running, around)
  return all
}

const attemptsOf = (result: TurnResult): number | undefined =>
  result.kind === 'failed' ? result.details.attempts : result.facts?.attempts

describe('the direct LLM over its endpoints', () => {
  const healed: readonly [string, readonly Action[]][] = [
    ['no connection', unreachable],
    ['503', http(503)],
    ['408', http(408)],
    ['429 with Retry-After: 1', http(429, 1000)],
    ['a reset after the head', [...HEAD, ...reset]],
    ['a reset after a sign of life', [...HEAD, { do: 'send', events: [] }, ...reset]],
  ]
  for (const [what, actions] of healed)
    it(`${what} once: the same endpoint is asked again, and the user sees an answer`, async () => {
      const around = setUp({ primary: [actions, answer('good')], reserve: [answer('reserve')] })
      const running = around.start()
      const result = await ended(running, around)
      expect(result.kind).to.equal('answered')
      expect(running.shown).to.equal('good')
      expect(around.sent).to.deep.equal(['primary', 'primary'])
      expect(attemptsOf(result)).to.equal(2)
      expect(running.outcomes.map(({ result }) => result)).to.deep.equal(['ok'])
      expect(around.clock.monotonic()).to.be.within(100, 1400)
    })

  it('goes to the next endpoint when the retry fails too', async () => {
    const around = setUp({ primary: [http(503)], reserve: [answer('from the reserve')] })
    const running = around.start()
    const result = await ended(running, around)
    expect(running.shown).to.equal('from the reserve')
    expect(around.sent).to.deep.equal(['primary', 'primary', 'reserve'])
    expect(attemptsOf(result)).to.equal(3)
    expect(around.causes).to.deep.equal(['primary llm_http_error', 'primary llm_http_error', 'reserve ok'])
  })

  it('ends with the last failure when every endpoint fails', async () => {
    const around = setUp({ primary: [http(503)], reserve: [http(500)] })
    const running = around.start()
    const result = await ended(running, around)
    expect(result).to.deep.include({ kind: 'failed', code: 'llm_http_error' })
    expect(result.kind === 'failed' && result.details).to.deep.include({ httpStatus: 500, attempts: 4 })
    expect(running.outcomes).to.have.length(1)
  })

  it('asks nobody again once something was shown', async () => {
    const around = setUp({ primary: [[...answer('half'), ...reset]], reserve: [answer('whole')] })
    const running = around.start()
    expect(await ended(running, around)).to.deep.include({ kind: 'failed', code: 'llm_disconnected' })
    expect(running.shown).to.equal('half')
    expect(around.sent).to.deep.equal(['primary'])
  })

  it('counts the requests of an answer that broke off too', async () => {
    const around = setUp({ primary: [http(503), [...answer('half'), ...reset]] })
    const result = await ended(around.start(), around)
    expect(result).to.deep.include({ kind: 'failed', code: 'llm_disconnected' })
    expect(attemptsOf(result)).to.equal(2)
  })

  it('asks nobody again for what no other request would mend', async () => {
    const refused = failing(
      new ExecutionError('llm_unauthorized', 'headers', 'HTTP 401', false, { httpStatus: 401 }),
    )
    const around = setUp({ primary: [refused], reserve: [answer('whole')] })
    expect(await ended(around.start(), around)).to.deep.include({ kind: 'failed', code: 'llm_unauthorized' })
    expect(around.sent).to.deep.equal(['primary'])
  })

  it('follows the route of the turn and skips what it does not know', async () => {
    const around = setUp({ primary: [answer('primary')], reserve: [answer('reserve')] })
    const route = async (...llmRoute: string[]): Promise<string> => {
      const running = around.start({ ...sampleTurn(), llmRoute })
      await ended(running, around)
      return running.shown
    }
    expect(await route('reserve', 'primary')).to.equal('reserve')
    expect(await route('nobody', 'reserve')).to.equal('reserve')
    expect(await route('nobody')).to.equal('primary')
  })

  it('shares one time for all response heads between its requests', async () => {
    const late: readonly Action[] = [
      { do: 'connect' },
      { do: 'wait', ms: sampleLimits.headersMs - 50 },
      ...http(503),
    ]
    const around = setUp({ primary: [late, [{ do: 'hang' }]] })
    const running = around.start()
    const result = await ended(running, around)
    expect(result.kind).to.equal('failed')
    expect(around.clock.monotonic()).to.be.at.most(sampleLimits.connectMs + sampleLimits.headersMs + 500)
  })

  it('leaves each request no more than what is left of that time', async () => {
    const around = setUp({ primary: [[{ do: 'wait', ms: 9000 }, ...http(503)], answer('good')] })
    await ended(around.start(), around)
    const { connectMs, headersMs } = sampleLimits
    expect(around.calls.map((call) => [call.connectMs, call.headersMs])).to.deep.equal([
      [connectMs, headersMs],
      [connectMs, connectMs + headersMs - 9100],
    ])
  })

  it('counts the time for first content from the head of the latest request', async () => {
    const slow: readonly Action[] = [...HEAD, { do: 'wait', ms: 59_000 }, say('late')]
    const around = setUp({ primary: [[...HEAD, { do: 'wait', ms: 12_000 }, ...reset], slow] })
    const running = around.start()
    expect((await ended(running, around)).kind).to.equal('answered')
    expect(running.shown).to.equal('late')
  })

  it('adds up the requests that an endpoint needed itself', async () => {
    const twice = new ExecutionError('llm_http_error', 'headers', 'HTTP 503', false, {
      httpStatus: 503,
      attempts: 2,
    })
    const told: Action = { do: 'send', events: [{ type: 'facts', data: { attempts: 3 } }, text('good')] }
    const around = setUp({ primary: [failing(twice), [...HEAD, told]] })
    expect(attemptsOf(await ended(around.start(), around))).to.equal(5)
  })

  it('sends nothing more for a user who leaves between two requests', async () => {
    const around = setUp({ primary: [http(503), answer('good')] })
    const running = around.start()
    await settled()
    running.controller.abort(new TurnAborted('client_gone'))
    await ended(running, around)
    for (let n = 0; n < 5; n++) await settled()
    expect(around.sent).to.have.length(1)
    expect(around.clock.pending()).to.be.at.most(1)
  })

  it('asks an endpoint that hangs past its deadlines less and less', async () => {
    const around = setUp({ primary: [[...HEAD, { do: 'hang' }]], reserve: [answer('reserve')] })
    for (let n = 0; n < 5; n++)
      expect(await ended(around.start(), around)).to.deep.include({ code: 'first_content_timeout' })
    const running = around.start()
    await ended(running, around)
    expect(running.shown).to.equal('reserve')
  })

  it('lets an endpoint rest for longer whose probe hangs past its deadlines', async () => {
    const around = setUp({ primary: [[...HEAD, { do: 'hang' }]], reserve: [answer('reserve')] })
    for (let n = 0; n < 5; n++) await ended(around.start(), around)
    around.clock.advance(5000)
    expect(await ended(around.start(), around)).to.deep.include({ code: 'first_content_timeout' })
    around.clock.advance(9999)
    const running = around.start()
    await ended(running, around)
    expect(running.shown).to.equal('reserve')
  })

  it('counts an empty answer as a failure of the endpoint', async () => {
    const around = setUp({ primary: [HEAD], reserve: [answer('reserve')] })
    for (let n = 0; n < 5; n++)
      expect(await ended(around.start(), around)).to.deep.include({ code: 'empty_answer' })
    expect(around.causes).to.deep.equal(new Array(5).fill('primary empty_answer'))
    const running = around.start()
    await ended(running, around)
    expect(running.shown).to.equal('reserve')
  })

  it('counts an answer of blanks and thinking alone as empty', async () => {
    const thinking: Action = { do: 'send', events: [{ type: 'thinking', data: { content: 'hm' } }] }
    const around = setUp({ primary: [[...HEAD, thinking, say(' \n')]] })
    expect(await ended(around.start(), around)).to.deep.include({ code: 'empty_answer' })
    expect(around.causes).to.deep.equal(['primary empty_answer'])
  })

  it('does not blame the endpoint for users who leave', async () => {
    const around = setUp({ primary: [[...HEAD, { do: 'hang' }]], reserve: [answer('reserve')] })
    for (let n = 0; n < 8; n++) {
      const running = around.start()
      await settled()
      running.controller.abort(new TurnAborted('client_gone'))
      await ended(running, around)
    }
    await settled()
    expect(around.sent).to.deep.equal(new Array(8).fill('primary'))
    expect(around.causes).to.deep.equal(new Array(8).fill('primary aborted'))
  })

  it('does not blame the endpoint for what this machine lacks', async () => {
    const lacking = new ExecutionError('llm_unreachable', 'connect', 'EMFILE', false, {
      localFault: 'EMFILE',
    })
    const around = setUp({ only: [failing(lacking)] })
    for (let n = 0; n < 8; n++) await ended(around.start(), around)
    expect(around.gate.state()).to.deep.equal([{ endpoint: 'only', requests: 0, resting: false }])
  })

  it('blames the endpoint for an unknown model only where the endpoint names it', async () => {
    const unknown = new ExecutionError('llm_http_error', 'headers', 'HTTP 404', false, {
      httpStatus: 404,
      unknownModel: true,
    })
    const { profile } = sampleTurn()
    for (const [model, resting] of [
      ['typo', false],
      [undefined, true],
    ] as const) {
      const around = setUp({ gateway: [failing(unknown)] })
      const turn = sampleTurn({ profile: { ...profile, ...(model === undefined ? {} : { model }) } })
      for (let n = 0; n < 8; n++) await ended(around.start(turn), around)
      expect(around.gate.state()).to.deep.equal([{ endpoint: 'gateway', requests: 0, resting }])
    }
  })

  it('logs each request that another one follows, without content', async () => {
    const around = setUp({ primary: [http(503)], reserve: [answer('a secret answer')] })
    await ended(around.start(sampleTurn({ message: 'a secret question' })), around)
    const lines = around.lines.filter(({ msg }) => String(msg).startsWith('[LLM] a request failed'))
    const shared = { requestId: 'request-1', endpoint: 'primary', code: 'llm_http_error', httpStatus: 503 }
    expect(lines).to.have.length(2)
    expect(lines[0]).to.deep.include({ ...shared, afterMs: 100 })
    expect(lines[1]).to.deep.include({ ...shared, next: 'reserve' })
    expect(JSON.stringify(around.lines)).to.not.contain('secret')
  })

  it('refuses a turn that is admitted to a full endpoint, and gives back what an admitted one held', () => {
    const { routed } = setUp({ only: [answer('x')] }, 1)
    const turns = [1, 2, 3, 4].map(() => sampleTurn())
    const refused = turns.map((turn) => routed.admit(turn, 1000))
    expect(refused).to.deep.equal([undefined, undefined, undefined, 1])
    for (const turn of turns) routed.leave(turn)
    expect(routed.admit(sampleTurn(), 1000)).to.equal(undefined)
  })

  it('executes an admitted turn on the place it has', async () => {
    const around = setUp({ only: [answer('x')] }, 1)
    const turn = sampleTurn()
    expect(around.routed.admit(turn, 1000)).to.equal(undefined)
    const running = around.start(turn)
    expect((await ended(running, around)).kind).to.equal('answered')
    around.routed.leave(turn)
    expect(around.gate.enter(['only'], 1).now?.kind).to.equal('seat')
  })

  it('counts a turn that got no place in time as refused, not as a failure of the LLM', async () => {
    const around = setUp({ only: [[...HEAD, say('a'), { do: 'hang' }]] }, 1)
    around.start()
    const second = around.start()
    const result = await ended(second, around)
    expect(result).to.deep.include({ kind: 'failed', code: 'llm_overloaded', phase: 'connect' })
    expect(second.outcomes.map(({ result }) => result)).to.deep.equal(['rejected'])
    expect(around.sent).to.have.length(1)
  })

  it('lets a shadow neither wait nor retry', async () => {
    const around = setUp({ only: [http(503), answer('x')] }, 2)
    const shadow = (): Turn => ({ ...sampleTurn(), shadow: true })
    expect(await ended(around.start(shadow()), around)).to.deep.include({ code: 'llm_http_error' })
    expect(around.clock.monotonic()).to.equal(0)
    const seat = around.gate.enter(['only'], 1)
    expect(await ended(around.start(shadow()), around)).to.deep.include({ code: 'llm_overloaded' })
    seat.leave()
  })

  it('answers all of 1,000 turns while the first endpoint is dead', async () => {
    const around = setUp({ primary: [http(503)], reserve: [answer('from the reserve')] })
    const all = await manyTurns(around)
    expect(all.filter(({ shown }) => shown !== 'from the reserve')).to.deep.equal([])
    const toPrimary = around.sent.filter((name) => name === 'primary').length
    expect(toPrimary).to.be.at.most(60)
    expect(around.sent.length - toPrimary).to.equal(1000)
  })

  it('sends no more than the budget when every endpoint is dead, and tells each user', async () => {
    const around = setUp({ primary: [http(503)], reserve: [unreachable] })
    const all = await manyTurns(around)
    expect(all.filter(({ result }) => result?.kind !== 'failed')).to.deep.equal([])
    // For each: the few until it rests, then 10 tries in 10 s.
    expect(around.sent.length).to.be.at.most(2 * (10 + 20))
  })

  it('has one outcome, shows one answer and leaves nothing behind, whatever the endpoints do', async () => {
    const one = fc.constantFrom<readonly Action[]>(
      unreachable,
      http(503),
      http(401),
      http(429),
      http(429, 700),
      http(429, 9000),
      [...HEAD, ...reset],
      [...answer('lost'), ...reset],
      [...HEAD, { do: 'send', events: [] }, ...reset],
      [{ do: 'connect' }, { do: 'hang' }],
      [{ do: 'wait', ms: 900 }, ...answer('slow')],
      [...answer('a'), say('b')],
      [{ do: 'stray' }],
    )
    const script = fc.array(one, { minLength: 1, maxLength: 4 })
    const turns = fc.array(fc.record({ afterMs: fc.nat(600), leaves: fc.boolean() }), {
      minLength: 1,
      maxLength: 8,
    })
    await fc.assert(
      fc.asyncProperty(script, script, turns, fc.constantFrom(undefined, 1, 2), async (p, r, plan, most) => {
        const around = setUp({ primary: p, reserve: r }, most)
        const { clock, gate, routed } = around
        const all: Running[] = []
        for (const { afterMs, leaves } of plan) {
          const running = around.start()
          all.push(running)
          await settled()
          clock.advance(afterMs)
          await settled()
          if (leaves) running.controller.abort(new TurnAborted('stopped'))
        }
        for (const running of all) {
          const result = await ended(running, around)
          expect(running.outcomes).to.have.length(1)
          expect(['', 'lost', 'slow', 'ab', 'a']).to.include(running.shown)
          if (result.kind === 'answered') expect(['slow', 'ab']).to.include(running.shown)
        }
        for (let n = 0; n < 20; n++) await settled()
        expect(gate.waiting).to.equal(0)
        expect(around.causes).to.have.length(around.sent.length)
        clock.advance(700_000)
        for (const name of ['primary', 'reserve'])
          for (let n = 0; n < (most ?? 1); n++) {
            const { now } = gate.enter([name], 1)
            expect(now?.kind).to.equal('seat')
            if (now?.kind === 'seat') now.answered()
          }
        routed.close()
      }),
      { numRuns: 150 },
    )
  })
})
