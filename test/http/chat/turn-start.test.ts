import type { Socket } from 'node:net'
import { expect } from 'chai'
import { type Clock, systemClock } from '../../../src/core/clock.js'
import type { BackendSink, ChatBackend, ExecutionCall } from '../../../src/execution/backend.js'
import type { FleetStreams } from '../../../src/http/fleet/fleet-streams.js'
import { startTurn } from '../../support/chat-client.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

interface Asked {
  readonly sink: BackendSink
  readonly call: ExecutionCall
}

/** Tells when it is asked, in the same call. */
function directLlm(
  asked: (asked: Asked) => void,
  resume: (asked: Asked) => void = () => undefined,
): ChatBackend {
  return {
    mode: 'direct_llm',
    execute(_turn, call, sink) {
      asked({ call, sink })
      return { resume: () => resume({ call, sink }) }
    },
  }
}

/** No stream can be opened. */
const UNWRITABLE = {
  copying: () => ({
    open: () => {
      throw new Error('no place for its events')
    },
    find: () => undefined,
    erase: () => undefined,
  }),
  onMessage: () => undefined,
  find: async () => undefined,
} as unknown as FleetStreams

describe('the start of a turn', () => {
  it('makes the request to the backend before the stream is opened', async () => {
    const order: string[] = []
    const backend = directLlm(({ sink }) => {
      order.push('request')
      // As a network would, in a later round of the event loop.
      setTimeout(() => {
        sink.batch([text('hello')])
        sink.end()
      }, 20)
    })
    const edge = await startEdge({
      backends: { direct_llm: backend },
      metrics: { streamOpened: () => order.push('stream') },
    })
    const turn = await startTurn(edge.url, await bearer())
    expect(turn.terminal?.event).to.equal('done')
    expect(order).to.deep.equal(['request', 'stream'])
    await edge.close()
  })

  it('holds a backend that answers before the stream is open, and loses nothing of it', async () => {
    const took: boolean[] = []
    const backend = directLlm(
      ({ sink }) => took.push(sink.batch([text('first ')]), sink.batch([text('second ')])),
      ({ sink }) => {
        took.push(sink.batch([text('third')]))
        sink.end()
      },
    )
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const turn = await startTurn(edge.url, await bearer())
    expect(turn.text).to.equal('first second third')
    expect(turn.terminal?.event).to.equal('done')
    expect(took).to.deep.equal([false, false, true])
    await edge.close()
  })

  it('tells how a backend ended that failed before the stream was open', async () => {
    const backend = directLlm(({ sink }) => sink.end(new Error('stray')))
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const turn = await startTurn(edge.url, await bearer())
    expect(turn.events.map(({ event }) => event)).to.deep.equal(['error'])
    expect(edge.turns.count).to.equal(0)
    await edge.close()
  })

  it('gives the request up where the stream cannot be opened, and never makes it again for the same key', async () => {
    const signals: AbortSignal[] = []
    const left: string[] = []
    const backend = directLlm(({ call, sink }) => {
      signals.push(call.signal)
      call.signal.addEventListener('abort', () => sink.end(), { once: true })
    })
    const edge = await startEdge({
      backends: { direct_llm: backend },
      admission: { admit: () => undefined, leave: ({ messageId }) => left.push(messageId) },
      fleet: UNWRITABLE,
      reconnectGraceMs: 1_000,
    })
    const authorization = await bearer()
    const start = () =>
      fetch(`${edge.url}/api/v1/chat/start`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json', 'idempotency-key': 'once' },
        body: JSON.stringify({ agentId: 'assistant', message: 'hi' }),
      })
    expect((await start()).status).to.equal(500)
    expect(left).to.have.length(1)
    expect(edge.outcomes.map(({ result }) => result)).to.deep.equal(['aborted'])
    await until('the turn to be over', () => edge.turns.count === 0)
    expect((await start()).status).to.equal(500)
    expect(signals.map(({ aborted }) => aborted)).to.deep.equal([true])
    await edge.close()
  })

  it('gives the request up where the turn breaks when its stream has just been opened', async () => {
    const signals: AbortSignal[] = []
    const backend = directLlm(({ call, sink }) => {
      signals.push(call.signal)
      // Held, so that no deadline ends it.
      sink.batch([text('hello')])
      call.signal.addEventListener('abort', () => sink.end(), { once: true })
    })
    const stopLookMs = 10_000_000
    const clock: Clock = {
      ...systemClock,
      schedule(delayMs, callback) {
        // The first look of the reservation.
        if (delayMs > stopLookMs / 2) throw new Error('no timer')
        return systemClock.schedule(delayMs, callback)
      },
    }
    const edge = await startEdge({ backends: { direct_llm: backend }, clock, timing: { stopLookMs } })
    const turn = await startTurn(edge.url, await bearer())
    expect(turn.events.map(({ event }) => event)).to.deep.equal(['error'])
    expect(signals.map(({ aborted }) => aborted)).to.deep.equal([true])
    expect(edge.outcomes.map(({ result }) => result)).to.deep.equal(['aborted'])
    await until('the turn to be over', () => edge.turns.count === 0)
    await edge.close()
  })

  describe('ends once where, between the request and the stream,', () => {
    type What = 'the turn is stopped' | 'the process drains' | 'the client leaves'

    /** @param answers the backend has sent text by then, and is held */
    async function ended(what: What, answers: boolean) {
      const left: string[] = []
      const told: string[] = []
      const sockets: Socket[] = []
      const messageIds: string[] = []
      const backend: ChatBackend = {
        mode: 'direct_llm',
        execute({ messageId }, call, sink) {
          messageIds.push(messageId)
          call.signal.addEventListener('abort', () => sink.end(new Error('given up')), { once: true })
          if (answers) sink.batch([text('hello')])
          if (what === 'the turn is stopped') edge.turns.abort(messageId, 'stopped')
          else if (what === 'the process drains') void edge.turns.drain(0)
          else for (const socket of sockets) socket.destroy()
          return { resume: () => undefined }
        },
      }
      const shadow = {
        underWay() {},
        saw() {},
        ended: () => told.push('ended'),
        left: () => told.push('left'),
      }
      const edge: Edge = await startEdge({
        backends: { direct_llm: backend },
        admission: { admit: () => undefined, leave: ({ messageId }) => left.push(messageId) },
        shadows: { consider: () => shadow },
      })
      edge.server.on('connection', (socket) => sockets.push(socket))
      const turn = await startTurn(edge.url, await bearer()).catch(() => undefined)
      await until('the turn to be over', () => edge.turns.count === 0)
      expect(messageIds).to.have.length(1)
      expect(left).to.deep.equal(messageIds)
      expect(told).to.deep.equal(['ended', 'left'])
      expect(edge.outcomes.map(({ result }) => result)).to.deep.equal(['aborted'])
      expect([edge.endedTurns.length, edge.openStreams()]).to.deep.equal([1, 0])
      await edge.close()
      return turn
    }

    for (const answers of [false, true]) {
      const after = answers ? 'after the first text' : 'before any text'
      it(`the turn is stopped ${after}`, async () => {
        const turn = await ended('the turn is stopped', answers)
        expect([turn?.text, turn?.terminal?.event]).to.deep.equal([answers ? 'hello' : '', 'done'])
      })
      it(`the process drains ${after}`, async () => {
        const turn = await ended('the process drains', answers)
        expect([turn?.text, turn?.terminal?.event]).to.deep.equal([answers ? 'hello' : '', 'error'])
      })
      it(`the client leaves ${after}`, async () => {
        expect(await ended('the client leaves', answers)).to.equal(undefined)
      })
    }
  })
})
