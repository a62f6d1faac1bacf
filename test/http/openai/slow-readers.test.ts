import { expect } from 'chai'
import { bearer, startEdge } from '../../support/edge.js'
import { httpText, type RawClient, rawClient } from '../../support/raw-client.js'
import { aborted, scripted, text } from '../../support/scripted-backend.js'
import { until } from '../../support/until.js'

const PIECE = 'x'.repeat(8_192)

async function rawCompletion(port: number, fields: object): Promise<RawClient> {
  const client = await rawClient(port)
  const headers = { Authorization: await bearer(), 'Content-Type': 'application/json' }
  const body = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }], ...fields })
  client.socket.write(httpText('POST', '/v1/chat/completions', headers, body))
  return client
}

/** Sends pieces until it is aborted, or as many as asked for. */
function pouring(most = Number.POSITIVE_INFINITY) {
  const seen = { pieces: 0 }
  const backend = scripted('direct_llm', async function* (_turn, call) {
    call.onHeaders()
    while (!call.signal.aborted && seen.pieces < most) {
      seen.pieces += 1
      yield [text(PIECE)]
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (most === Number.POSITIVE_INFINITY) await aborted(call.signal)
  })
  return { seen, backend }
}

describe('a slow reader of the OpenAI-compatible front', () => {
  it('holds the upstream of a stream, and gets all of it once it reads again', async () => {
    const { seen, backend } = pouring(2_000)
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const client = await rawCompletion(edge.port, { stream: true })
    await client.waitFor('\r\n\r\n')
    client.socket.pause()
    let last = -1
    // Real time: nothing tells of the hold, and the system's buffers take what they like before it. If it is taken for held too
    // early, what follows holds all the same.
    await until('the upstream to be held', async () => {
      const stands = seen.pieces === last
      last = seen.pieces
      await new Promise((resolve) => setTimeout(resolve, 100))
      return stands
    })
    expect(seen.pieces).to.be.lessThan(2_000)
    client.socket.resume()
    const all = await client.waitFor('data: [DONE]\n\n', 20_000)
    expect(all.split(PIECE)).to.have.length(2_001)
    client.socket.destroy()
    await edge.close()
  })

  it('that takes nothing is cut off, in a stream and while it gets a whole answer', async () => {
    for (const stream of [true, false]) {
      // More than the system takes for a reader that has stopped.
      const { backend } = pouring(stream ? undefined : 500)
      const edge = await startEdge({ backends: { direct_llm: backend }, timing: { slowReaderMs: 120 } })
      const client = await rawCompletion(edge.port, { stream })
      client.socket.pause()
      await until('no turn', () => edge.outcomes.length === 1 && edge.turns.count === 0, 20_000)
      const [outcome] = edge.outcomes
      if (stream) expect(outcome).to.include({ result: 'aborted', code: 'client_too_slow' })
      // The turn was over by then: its answer was there.
      else expect(outcome).to.include({ result: 'ok' })
      client.socket.resume()
      await client.waitForClose()
      expect(client.received()).to.not.include('[DONE]')
      expect(client.received().split(PIECE).length).to.be.lessThan(500)
      await edge.close()
    }
  })

  it('is sent no more of a whole answer than memory is for, and told that it was cut', async () => {
    const { backend } = pouring(600)
    const edge = await startEdge({ backends: { direct_llm: backend } })
    const client = await rawCompletion(edge.port, {})
    const all = await client.waitFor('"total_tokens"', 20_000)
    expect(all.split(PIECE)).to.have.length(513)
    expect(all).to.include('"finish_reason":"length"')
    client.socket.destroy()
    await edge.close()
  })
})
