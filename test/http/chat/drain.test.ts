import { expect } from 'chai'
import { createTurnRegistry } from '../../../src/turn/turn-registry.js'
import { postTurn, readTurn } from '../../support/chat-client.js'
import { bearer, startEdge } from '../../support/edge.js'
import { manualClock } from '../../support/manual-clock.js'
import { rawStart } from '../../support/raw-client.js'
import { hanging, scripted, text } from '../../support/scripted-backend.js'
import { SOON_MS, until } from '../../support/until.js'

describe('a drain', () => {
  it('lets running turns end', async () => {
    let goOn: () => void = () => undefined
    const backend = scripted('direct_llm', async function* () {
      yield [text('a')]
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
      yield [text('b')]
    })
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const response = await postTurn(edge.url, await bearer(), 'start', { agentId: 'a', message: 'Hi' })
    await until('the execution to begin', () => backend.turns.length === 1)
    edge.state = 'draining'
    let drained = false
    const drain = edge.turns.drain(60_000).then(() => {
      drained = true
    })
    expect(drained).to.equal(false)
    goOn()
    const turn = await readTurn(response)
    expect([turn.text, turn.terminal?.event]).to.deep.equal(['ab', 'done'])
    await drain
    expect(edge.turns.count).to.equal(0)
    await edge.close()
  })

  it('ends what is still running with the error shutting_down, kept as aborted, when its time is over', async () => {
    const edge = await startEdge({ backends: { direct_llm: hanging('direct_llm', 'half') } })
    const response = await postTurn(
      edge.url,
      await bearer(),
      'start',
      { agentId: 'a', message: 'Hi' },
      { 'accept-language': 'en' },
    )
    await edge.turns.drain(30)
    const { terminal, sessionId } = await readTurn(response)
    expect(terminal?.event).to.equal('error')
    expect(terminal?.data).to.deep.equal({
      code: 'shutting_down',
      message: 'The service is restarting and the answer was interrupted. Try again in a moment',
      recoverable: true,
      executionMode: 'direct_llm',
    })
    const session = await edge.sessions.read(sessionId, { orgId: 'org-1', userId: 'user-1' })
    expect(session?.messages[1]).to.include({ status: 'aborted' })
    await edge.close()
  })

  it('with nothing running is over at once', async () => {
    await createTurnRegistry(manualClock()).drain(60_000)
  })

  it('waits for readers no longer than its time, for turns that were given up somewhat more', async () => {
    const clock = manualClock()
    const turns = createTurnRegistry(clock)
    const [reading, running] = [turns.open(), turns.open()]
    reading.name('read')
    reading.ended()
    expect(turns.abort('read', 'stopped')).to.equal(false)
    expect(turns.count).to.equal(2)
    let drained = false
    const drain = turns.drain(1_000).then(() => {
      drained = true
    })
    clock.advance(1_000)
    await until('the abort', () => running.signal.aborted)
    expect([drained, reading.signal.aborted]).to.deep.equal([false, false])
    running.ended()
    await drain
    reading.close()
    running.close()
    expect(turns.count).to.equal(0)
  })

  it('is not held up by a reader that takes nothing', async () => {
    const flood = scripted('direct_llm', async function* () {
      for (;;) yield [text('x'.repeat(8_000))]
    })
    const edge = await startEdge({ backends: { direct_llm: flood } })
    const reader = await rawStart(edge.port, await bearer())
    reader.socket.pause()
    await until('the stream to open', () => edge.openStreams() === 1)
    const before = performance.now()
    await edge.turns.drain(50)
    expect(performance.now() - before).to.be.below(SOON_MS)
    expect(edge.log.filter(({ msg }) => msg === 'turn ended')).to.have.length(1)
    reader.socket.destroy()
    await edge.close()
  })

  it('is bounded even when a turn does not end', async () => {
    const clock = manualClock()
    const turns = createTurnRegistry(clock)
    const place = turns.open()
    let drained = false
    const drain = turns.drain(1_000).then(() => {
      drained = true
    })
    clock.advance(1_000)
    await until('the abort', () => place.signal.aborted)
    await until('the last wait', () => clock.pending() === 1)
    expect(drained).to.equal(false)
    clock.advance(5_000)
    await drain
    place.close()
    expect(turns.count).to.equal(0)
  })
})
