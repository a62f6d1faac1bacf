import { expect } from 'chai'
import fc from 'fast-check'
import { systemClock } from '../../../src/core/clock.js'
import { ExecutionError } from '../../../src/execution/execution-error.js'
import { bodyHashOf } from '../../../src/idempotency/idempotency-keys.js'
import { openSqliteKeys } from '../../../src/idempotency/sqlite-keys.js'
import { createMemorySessionStore } from '../../../src/sessions/memory-session-store.js'
import { SessionStoreUnavailable } from '../../../src/sessions/session-store.js'
import { openSqliteSessionStore } from '../../../src/sessions/sqlite/sqlite-session-store.js'
import { capturingLogger } from '../../support/capturing-logger.js'
import { postTurn, readTurn } from '../../support/chat-client.js'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { aborted, answering, hanging, scripted, text } from '../../support/scripted-backend.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { until } from '../../support/until.js'

const GRACE = { reconnectGraceMs: 60_000 }
const BODY = { agentId: 'assistant', message: 'Hi' }

describe('a message that is sent again with its Idempotency-Key', () => {
  const directory = temporaryDirectory()
  const { logger } = capturingLogger()
  const edges: Edge[] = []
  afterEach(async () => {
    for (const edge of edges.splice(0)) await edge.close()
  })
  async function opened(options: EdgeOptions = {}): Promise<Edge> {
    const edge = await startEdge({ ...GRACE, ...options })
    edges.push(edge)
    return edge
  }
  /** The stores of one replica, on a file. */
  function replica(path: string, nonce: string, reservationMs = 15_000) {
    const options = { clock: systemClock, logger, replica: nonce, reservationMs }
    return {
      sessions: openSqliteSessionStore(path, options),
      idempotency: openSqliteKeys(path, { clock: systemClock, logger, nonce }),
    }
  }
  const newFile = (): string => directory.path('chat.db')
  const send = async (edge: Edge, key: string, body: object = BODY, path = 'start', claims = {}) =>
    postTurn(edge.url, await bearer(claims), path, body, { 'idempotency-key': key })

  it('reads the running turn from its first event, and no second turn runs', async () => {
    const backend = hanging('direct_llm', 'one ', 'two ')
    const edge = await opened({ backends: { direct_llm: backend } })
    const first = await send(edge, 'k')
    const second = await send(edge, 'k')
    const streamId = first.headers.get('x-chat-stream-id') ?? ''
    expect(second.headers.get('x-chat-stream-id')).to.equal(streamId)
    await first.body?.cancel()
    edge.turns.abort(streamId, 'stopped')
    const seen = await readTurn(second)
    expect(seen.text).to.equal('one two ')
    expect(seen.terminal?.event).to.equal('done')
    expect(backend.turns).to.have.length(1)
  })

  it('waits for a turn that is just beginning, and begins it where the first request is refused', async () => {
    const inner = createMemorySessionStore({ clock: systemClock })
    const create = inner.create.bind(inner)
    let begins: () => void = () => undefined
    let creates = 0
    const slow = async (...args: Parameters<typeof create>) => {
      creates += 1
      if (creates > 2) return create(...args)
      await new Promise<void>((resolve) => {
        begins = resolve
      })
      if (creates === 1) throw new SessionStoreUnavailable('planned')
      return create(...args)
    }
    const backend = answering('direct_llm', 'one')
    const edge = await opened({
      sessions: Object.assign(inner, { create: slow }),
      backends: { direct_llm: backend },
    })
    const answers = [send(edge, 'k')]
    await until('the first to begin', () => creates === 1)
    answers.push(send(edge, 'k'), send(edge, 'k'))
    await until('the others to wait', () => edge.turns.count === 3)
    // Real time: nothing tells that they do not begin. Too short a time cannot fail the test.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(creates).to.equal(1)
    begins()
    await until('another to begin', () => creates === 2)
    begins()
    const statuses = await Promise.all(answers.map(async (answer) => (await readTurn(await answer)).status))
    expect(statuses).to.deep.equal([503, 200, 200])
    expect(backend.turns).to.have.length(1)
  })

  it('reads the same events again after the end', async () => {
    const backend = answering('direct_llm', 'one ', 'two ')
    const edge = await opened({ backends: { direct_llm: backend } })
    const first = await readTurn(await send(edge, 'k'))
    const again = await readTurn(await send(edge, 'k'))
    expect(again.events).to.deep.equal(first.events)
    expect(backend.turns).to.have.length(1)
  })

  it('is answered from the history where the events are no longer kept: one text, and its end', async () => {
    const backend = answering('direct_llm', 'one ', 'two ')
    const edge = await opened({ backends: { direct_llm: backend }, streamBytes: 1 })
    const first = await readTurn(await send(edge, 'k'))
    const again = await readTurn(await send(edge, 'k'))
    expect(again.events.map(({ event }) => event)).to.deep.equal(['message', 'done'])
    expect(again).to.include({ text: 'one two ', sessionId: first.sessionId })
    expect({ ...again.terminal?.data, attempts: 1 }).to.deep.equal(first.terminal?.data)
    expect(backend.turns).to.have.length(1)
  })

  it('is told how a failed turn failed, from the history too', async () => {
    const failing = scripted('direct_llm', async function* () {
      yield [text('half')]
      throw new ExecutionError('llm_error', 'streaming', 'planned')
    })
    const edge = await opened({ backends: { direct_llm: failing }, streamBytes: 1 })
    const first = await readTurn(await send(edge, 'k'))
    const again = await readTurn(await send(edge, 'k'))
    expect(again.text).to.equal('half')
    expect(again.terminal).to.deep.equal(first.terminal)
  })

  it('works for the next turn of a session too', async () => {
    const backend = answering('direct_llm', 'one')
    const edge = await opened({ backends: { direct_llm: backend } })
    const { sessionId } = await readTurn(await send(edge, 'k1'))
    const path = `sessions/${sessionId}`
    const [first, again] = [
      await readTurn(await send(edge, 'k2', { message: 'And?' }, path)),
      await readTurn(await send(edge, 'k2', { message: 'And?' }, path)),
    ]
    expect(again.events).to.deep.equal(first.events)
    expect(backend.turns).to.have.length(2)
  })

  it('is refused with another body, on another path too; another user has keys of his own', async () => {
    const backend = answering('direct_llm', 'one')
    const edge = await opened({ backends: { direct_llm: backend } })
    const { sessionId } = await readTurn(await send(edge, 'k'))
    const others = [
      await send(edge, 'k', { ...BODY, message: 'Ho' }),
      await send(edge, 'k', { ...BODY, agentId: 'another' }),
      await send(edge, 'k', { message: 'Hi' }, `sessions/${sessionId}`),
    ]
    for (const response of others) {
      expect(response.status).to.equal(422)
      expect(await response.text()).to.include('idempotency_mismatch')
    }
    const another = await readTurn(await send(edge, 'k', BODY, 'start', { sub: 'user-2' }))
    expect(another.sessionId).to.not.equal(sessionId)
    expect(backend.turns).to.have.length(2)
  })

  for (const key of ['', 'x'.repeat(129), 'a b', 'schlüssel'])
    it(`is refused with a key that is none: ${JSON.stringify(key.slice(0, 20))}`, async () => {
      const edge = await opened()
      const response = await send(edge, key)
      expect(response.status).to.equal(400)
      expect(await response.text()).to.include('Idempotency-Key')
    })

  it('begins the turn where the first request was refused before it began', async () => {
    let full = true
    const admission = { admit: () => (full ? 3 : undefined), leave: () => undefined }
    const backend = answering('direct_llm', 'one')
    const edge = await opened({ admission, backends: { direct_llm: backend } })
    expect((await send(edge, 'k')).status).to.equal(503)
    full = false
    expect((await readTurn(await send(edge, 'k'))).text).to.equal('one')
    expect(backend.turns).to.have.length(1)
  })

  it('takes no part in the limit of turns a minute', async () => {
    const edge = await opened({ turnsPerMinute: 1 })
    await readTurn(await send(edge, 'k'))
    expect((await send(edge, 'k')).status).to.equal(200)
    expect((await send(edge, 'k2')).status).to.equal(429)
  })

  it('is told interrupted where its turn was cancelled without a reader', async () => {
    const edge = await opened({
      reconnectGraceMs: 1,
      backends: { direct_llm: hanging('direct_llm', 'half') },
    })
    const first = await send(edge, 'k')
    await first.body?.cancel()
    await until('the turn to be cancelled', () => edge.turns.count === 0)
    const again = await readTurn(await send(edge, 'k'))
    expect(again.text).to.equal('half')
    expect(again.terminal?.data).to.include({ code: 'interrupted', recoverable: true })
  })

  it('is answered from the history after a restart', async () => {
    const path = newFile()
    const backend = answering('direct_llm', 'one ', 'two ')
    const before = await opened({ ...replica(path, 'before'), backends: { direct_llm: backend } })
    const first = await readTurn(await send(before, 'k'))
    const after = await opened({ ...replica(path, 'after'), backends: { direct_llm: backend } })
    const again = await readTurn(await send(after, 'k'))
    expect(again).to.include({ text: 'one two ', sessionId: first.sessionId })
    expect(again.events.map(({ event }) => event)).to.deep.equal(['message', 'done'])
    expect(backend.turns).to.have.length(1)
  })

  it('is told interrupted after a restart in the middle of its turn, with what was kept', async () => {
    const path = newFile()
    const owner = { orgId: 'org-1', userId: 'user-1' }
    const ids = {
      sessionId: '0b9d1c2e-0000-4000-8000-000000000001',
      messageId: '0b9d1c2e-0000-4000-8000-000000000002',
    }
    const killed = replica(path, 'killed', 300)
    await killed.idempotency.reserve(owner, 'k', {
      ...ids,
      bodyHash: bodyHashOf(['start', 'assistant', 'Hi']),
    })
    await killed.sessions.create({ ...ids, owner, message: 'Hi' }, 'assistant')
    await killed.sessions.renew(ids.messageId, 'half')
    await killed.sessions.close()
    killed.idempotency.close()
    const backend = answering('direct_llm', 'one')
    const edge = await opened({ ...replica(path, 'after', 300), backends: { direct_llm: backend } })
    const again = await readTurn(await send(edge, 'k'))
    expect(again).to.include({ text: 'half', sessionId: ids.sessionId })
    expect(again.terminal?.data).to.include({ code: 'interrupted' })
    expect(backend.turns).to.have.length(0)
  })

  it('waits for a turn of another replica, and is put off where that takes too long', async () => {
    const path = newFile()
    const one = await opened({
      ...replica(path, 'one'),
      backends: { direct_llm: hanging('direct_llm', 'half') },
    })
    const backend = answering('direct_llm', 'one')
    const timing = { keyedTurnMs: 50 }
    const two = await opened({ ...replica(path, 'two'), timing, backends: { direct_llm: backend } })
    const three = replica(path, 'three')
    const holder = three.sessions.holder.bind(three.sessions)
    let looks = 0
    const sessions = Object.assign(three.sessions, {
      holder: (sessionId: string) => {
        looks += 1
        return holder(sessionId)
      },
    })
    const patient = await opened({ ...three, sessions, backends: { direct_llm: backend } })
    const first = await send(one, 'k')
    const refused = await send(two, 'k')
    expect(refused.status).to.equal(409)
    expect(refused.headers.get('retry-after')).to.equal('5')
    const waiting = send(patient, 'k')
    await until('a second look at the running turn', () => looks === 1)
    one.turns.abort(first.headers.get('x-chat-stream-id') ?? '', 'stopped')
    const again = await readTurn(await waiting)
    expect(again.text).to.equal('half')
    expect(again.terminal?.data).to.include({ stopped: true })
    expect(backend.turns).to.have.length(0)
    await first.body?.cancel()
  })

  it('holds up no drain while it waits', async () => {
    const path = newFile()
    const one = await opened({
      ...replica(path, 'one'),
      backends: { direct_llm: hanging('direct_llm', 'half') },
    })
    const two = await opened(replica(path, 'two'))
    const first = await send(one, 'k')
    const waiting = send(two, 'k')
    await until('the request to wait', () => two.turns.count === 1)
    two.state = 'draining'
    await two.turns.drain(0)
    expect((await waiting).status).to.equal(409)
    await first.body?.cancel()
  })
})

/** What a client does: on which replica, after how many rounds of the event loop, and whether it hangs up at once. */
interface Try {
  readonly replica: 0 | 1
  readonly rounds: number
  readonly leaves: boolean
}

describe('any interleaving of retries', function () {
  this.timeout(120_000)
  const directory = temporaryDirectory()
  const { logger } = capturingLogger()
  const tries = fc.array(
    fc.record<Try>({
      replica: fc.constantFrom(0, 1),
      rounds: fc.integer({ min: 0, max: 30 }),
      leaves: fc.boolean(),
    }),
    { minLength: 2, maxLength: 8 },
  )

  it('runs one turn, and whoever stays reads the whole of it', async () => {
    const backend = scripted('direct_llm', async function* (turn, call) {
      for (const piece of [turn.message, '|', 'end']) {
        yield [text(piece)]
        await new Promise((resolve) => setImmediate(resolve))
        if (call.signal.aborted) await aborted(call.signal)
      }
    })
    const path = directory.path('property.db')
    const edges = await Promise.all(
      ['one', 'two'].map((nonce) =>
        startEdge({
          ...GRACE,
          sessions: openSqliteSessionStore(path, { clock: systemClock, logger, replica: nonce }),
          idempotency: openSqliteKeys(path, { clock: systemClock, logger, nonce }),
          backends: { direct_llm: backend },
        }),
      ),
    )
    const authorization = await bearer()
    let run = 0
    await fc.assert(
      fc.asyncProperty(tries, async (plan) => {
        run += 1
        const message = `run-${run}`
        const answers = await Promise.all(
          plan.map(async ({ replica, rounds, leaves }) => {
            for (let n = 0; n < rounds; n += 1) await new Promise((resolve) => setImmediate(resolve))
            const control = new AbortController()
            const asked = fetch(`${edges[replica]?.url}/api/v1/chat/start`, {
              method: 'POST',
              headers: {
                authorization,
                'content-type': 'application/json',
                'idempotency-key': message,
              },
              body: JSON.stringify({ agentId: 'a', message }),
              signal: control.signal,
            })
            if (!leaves) return readTurn(await asked)
            asked.catch(() => undefined)
            for (let n = 0; n < rounds; n += 1) await new Promise((resolve) => setImmediate(resolve))
            control.abort()
            return undefined
          }),
        )
        for (const seen of answers) {
          if (seen === undefined) continue
          expect(seen.status).to.equal(200)
          expect(seen.text).to.equal(`${message}|end`)
          expect(seen.terminal?.event).to.equal('done')
        }
        expect(backend.turns.filter((turn) => turn.message === message).length).to.be.at.most(1)
        if (answers.some((seen) => seen !== undefined))
          expect(backend.turns.filter((turn) => turn.message === message)).to.have.length(1)
      }),
      { numRuns: 60 },
    )
    await Promise.all(edges.map((edge) => edge.close()))
  })
})
