import { expect } from 'chai'
import type { BackendEvent } from '../../src/execution/backend.js'
import { ExecutionError } from '../../src/execution/execution-error.js'
import { nextTurn, startTurn } from '../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../support/edge.js'
import { answering, scripted, text } from '../support/scripted-backend.js'
import { until } from '../support/until.js'

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

/** Who only watches a turn, and how it is made to throw. */
const OBSERVERS: Readonly<Record<string, { options?: EdgeOptions; spoil?: (edge: Edge) => void }>> = {
  'metrics, of the decision': { options: { metrics: { recordDecision: broken } } },
  'metrics, of the outcome': { options: { metrics: { recordOutcome: broken } } },
  'metrics, of the failover': { options: { metrics: { recordFailover: broken } } },
  'metrics, of the opened stream': { options: { metrics: { streamOpened: broken } } },
  'metrics, of the closed stream': { options: { metrics: { streamClosed: broken } } },
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
    (['underWay', 'saw', 'ended', 'left'] as const).map((call) => {
      const handle = { underWay: () => {}, saw: () => {}, ended: () => {}, left: () => {}, [call]: broken }
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
      if (!name.endsWith('stream')) expect(edge.openStreams()).to.equal(0)
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
