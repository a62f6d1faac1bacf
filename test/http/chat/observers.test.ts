import { expect } from 'chai'
import { systemClock } from '../../../src/core/clock.js'
import type { BackendEvent } from '../../../src/execution/backend.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import type { EdgeMetrics } from '../../../src/http/app-deps.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { type SessionStore, SessionStoreUnavailable } from '../../../src/sessions/session-store.js'
import type { ShadowHandle } from '../../../src/shadow/run/shadow-runner.js'
import { nextTurn, startTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { answering, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const broken = (): never => {
  throw new Error('observer broke')
}

/** The runtime fails before it commits and the direct LLM answers: every observer is called. */
const failing = scripted('runtime_orchestrator', async function* (_turn, call) {
  call.onConnected()
  call.onHeaders()
  yield [{ type: 'thinking', data: { content: 'hm' } }]
  throw new ExecutionError('runtime_disconnected', 'first_content', 'broke')
})

// By the types, so that what is added to them has to be added here. Refusals: test/turn/limits.test.ts.
const METRICS: Readonly<Record<Exclude<keyof EdgeMetrics, 'exposition' | 'recordRefusal'>, string>> = {
  recordDecision: 'the decision',
  recordOutcome: 'the outcome',
  recordFailover: 'the failover',
  recordTurn: 'the turn',
  recordRequest: 'the request',
  streamOpened: 'the opened stream',
  streamClosed: 'the closed stream',
}
const QUIET_SHADOW: ShadowHandle = {
  underWay: () => undefined,
  saw: () => undefined,
  ended: () => undefined,
  left: () => undefined,
}
const BROKEN_SHADOW: ShadowHandle = { underWay: broken, saw: broken, ended: broken, left: broken }

interface Observer {
  readonly options?: EdgeOptions
  readonly spoil?: (edge: Edge) => void
}

/** Who only watches a turn, and how it is made to throw. */
const OBSERVERS: Readonly<Record<string, Observer>> = {
  ...Object.fromEntries(
    Object.entries(METRICS).map(([call, of]): [string, Observer] => [
      `metrics, of ${of}`,
      { options: { metrics: { [call]: broken } } },
    ]),
  ),
  'the fallback, of the decision': {
    spoil: (edge) => {
      edge.fallback.turnDecided = broken
    },
  },
  'the fallback, of the outcome': {
    spoil: (edge) => {
      edge.fallback.record = broken
    },
  },
  'the public windows': {
    spoil: (edge) => {
      edge.windows.record = broken
    },
  },
  'the journal': {
    spoil: (edge) => {
      edge.journal.keepExecution = broken
    },
  },
  'the shadows, that consider': { options: { shadows: { consider: broken } } },
  ...Object.fromEntries(
    Object.keys(QUIET_SHADOW).map((call): [string, Observer] => {
      const handle = { ...QUIET_SHADOW, [call]: broken }
      return [`a shadow, ${call}`, { options: { shadows: { consider: () => handle } } }]
    }),
  ),
}

async function turnsEnd(edge: Edge): Promise<void> {
  const token = await bearer()
  const first = await startTurn(edge.url, token)
  expect(first.events.filter(({ event }) => event === 'done' || event === 'error')).to.have.length(1)
  expect(first.terminal?.event).to.equal('done')
  // Nothing is left of it, and the process takes the next one.
  const second = await nextTurn(edge.url, token, first.sessionId)
  expect(second.terminal?.event).to.equal('done')
  await until('every turn to be over', () => edge.turns.count === 0)
  // Each is told as what it was.
  const told = edge.log.map(({ msg }) => msg).filter((msg) => msg === 'turn ended' || msg === 'turn broke')
  expect(told).to.deep.equal(['turn ended', 'turn ended'])
  const errors = new Set(edge.log.filter(({ level }) => level === 50).map(({ msg }) => msg))
  expect([...errors]).to.deep.equal(['an observer broke'])
}

describe('a fault in an observer of a turn', () => {
  for (const [name, { options, spoil }] of Object.entries(OBSERVERS))
    it(`is logged and ends nothing: ${name}`, async () => {
      const edge = await startEdge({
        flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
        backends: { runtime_orchestrator: failing },
        ...options,
      })
      spoil?.(edge)
      await turnsEnd(edge)
      expect(edge.log.some(({ error }) => error === 'observer broke')).to.equal(true)
      // The last to be told of an outcome: both executions of both turns reached it, whoever threw before.
      if (name !== 'the journal') expect(edge.journal.executed).to.have.length(4)
      if (!name.endsWith('stream')) expect(edge.openStreams()).to.equal(0)
      await edge.close()
    })

  it('ends nothing where all of them throw at once', async () => {
    const metrics = Object.fromEntries(Object.keys(METRICS).map((call) => [call, broken]))
    const edge = await startEdge({
      flags: { mode: { value: 'runtime_orchestrator', reason: 'default' } },
      backends: { runtime_orchestrator: failing },
      metrics,
      shadows: { consider: () => BROKEN_SHADOW },
    })
    for (const { spoil } of Object.values(OBSERVERS)) spoil?.(edge)
    await turnsEnd(edge)
    await edge.close()
  })

  it('is logged and ends nothing: the recovery shadows', async () => {
    const edge = await startEdge({
      flags: {
        mode: { value: 'runtime_orchestrator', reason: 'default' },
        override: { on: true },
      },
      recoveryShadows: { consider: broken },
    })
    await turnsEnd(edge)
    expect(edge.log.some(({ error }) => error === 'observer broke')).to.equal(true)
    await edge.close()
  })
})

describe('a log that throws at every line', () => {
  const memory = () => createMemorySessionStore({ clock: systemClock })
  const failingStore = (part: Partial<SessionStore>): SessionStore => Object.assign(memory(), part)
  const down = () => Promise.reject(new SessionStoreUnavailable('the disk is gone'))
  const runtime = { mode: { value: 'runtime_orchestrator', reason: 'default' } } as const
  const failed = scripted('direct_llm', async function* () {
    yield []
    throw new ExecutionError('llm_http_error', 'headers', 'broke')
  })
  const stray = scripted('direct_llm', async function* () {
    yield []
    throw new TypeError('stray')
  })
  const looks = { stop: 0, renewal: 0 }
  const looking = (which: keyof typeof looks) => () => {
    looks[which] += 1
    return down()
  }
  const slow = scripted('direct_llm', async function* () {
    yield [text('a')]
    const before = { ...looks }
    await until('both looks', () => looks.stop > before.stop && looks.renewal > before.renewal)
    yield [text('b')]
  })

  const turns: Readonly<Record<string, { options: EdgeOptions; ends: string }>> = {
    'that is answered': { options: {}, ends: 'done' },
    'that fails over': {
      options: { flags: runtime, backends: { runtime_orchestrator: failing } },
      ends: 'done',
    },
    'whose backends both fail': {
      options: { flags: runtime, backends: { runtime_orchestrator: failing, direct_llm: failed } },
      ends: 'error',
    },
    'whose backend throws a stray error': { options: { backends: { direct_llm: stray } }, ends: 'error' },
    'whose observer throws': { options: { metrics: { recordOutcome: broken } }, ends: 'done' },
    'that cannot be kept': {
      options: { sessions: failingStore({ finish: down, release: down }) },
      ends: 'done',
    },
    'whose session cannot be looked at': {
      options: {
        sessions: failingStore({ stopRequested: looking('stop'), renew: looking('renewal') }),
        timing: { stopLookMs: 5, renewMs: 10 },
        backends: { direct_llm: slow },
      },
      ends: 'done',
    },
  }
  for (const [name, { options, ends }] of Object.entries(turns))
    it(`ends nothing: a turn ${name} has its one terminal event`, async () => {
      const edge = await startEdge({ loggerThrowsAt: 'every line', ...options })
      const token = await bearer()
      for (let round = 0; round < 2; round += 1) {
        const { events } = await startTurn(edge.url, token)
        const terminals = events.filter(({ event }) => event === 'done' || event === 'error')
        expect(terminals.map(({ event }) => event)).to.deep.equal([ends])
      }
      await until('every turn to be over', () => edge.turns.count === 0 && edge.openStreams() === 0)
      await edge.close()
    })
})

describe('a fault of ours in an open stream', () => {
  const unwritable = 1n as unknown as true
  const facts: BackendEvent = { type: 'facts', data: { trimmed: unwritable } }

  it('ends the turn with one internal_error, and leaves nothing behind', async () => {
    // A done event that cannot be written down.
    const backend = scripted('direct_llm', async function* (_turn, call) {
      call.onConnected()
      call.onHeaders()
      yield [text('Hello'), facts]
    })
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const turn = await startTurn(edge.url, await bearer())
    const terminals = turn.events.filter(({ event }) => event === 'done' || event === 'error')
    expect(terminals).to.have.length(1)
    expect(turn.terminal?.event).to.equal('error')
    expect(turn.terminal?.data).to.include({ code: 'internal_error' })
    await until('every turn to be over', () => edge.turns.count === 0 && edge.openStreams() === 0)
    expect(edge.log.filter(({ msg }) => msg === 'turn broke')).to.have.length(1)
    await edge.close()
  })

  it('leaves no reservation and no heartbeat where the log itself throws at the end', async () => {
    const edge = await startEdge({
      backends: { direct_llm: answering('direct_llm', 'Hello') },
      loggerThrowsAt: 'turn ended',
      timing: { heartbeatMs: 20 },
    })
    const token = await bearer()
    const turn = await startTurn(edge.url, token)
    expect(turn.terminal?.event).to.equal('done')
    await until('every turn to be over', () => edge.turns.count === 0 && edge.openStreams() === 0)
    const next = await nextTurn(edge.url, token, turn.sessionId)
    expect(next.terminal?.event).to.equal('done')
    await edge.close()
  })
})
