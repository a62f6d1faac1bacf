import { expect } from 'chai'
import { startLlmSimulator } from '../../src/simulator/llm.js'
import type { Simulator } from '../../src/simulator/simulator-server.js'

describe('the simulated LLM and its limits', () => {
  let llm: Simulator
  beforeEach(async () => {
    llm = await startLlmSimulator()
  })
  afterEach(() => llm.close())

  const ask = (): Promise<Response> =>
    fetch(`${llm.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hello' }] }),
    })
  const put = (faults: object): Promise<Response> =>
    fetch(`${llm.url}/_faults`, { method: 'PUT', body: JSON.stringify(faults) })
  const statuses = async (count: number): Promise<number[]> => {
    const seen: number[] = []
    for (let n = 0; n < count; n++) {
      const response = await ask()
      seen.push(response.status)
      await response.text()
    }
    return seen
  }

  it('fails the next requests with 503, and again when that is set again', async () => {
    for (let round = 0; round < 2; round++) {
      expect((await put({ failNext: { requests: 2 } })).status).to.equal(200)
      expect(await statuses(4)).to.deep.equal([503, 503, 200, 200])
    }
  })

  it('sends Retry-After with what it refuses', async () => {
    await put({ failNext: { requests: 1, status: 429 }, retryAfter: '2' })
    const response = await ask()
    expect([response.status, response.headers.get('retry-after')]).to.deep.equal([429, '2'])
    await response.text()
    expect((await ask()).headers.get('retry-after')).to.equal(null)
    await put({ status: 503, retryAfter: '7' })
    expect((await ask()).headers.get('retry-after')).to.equal('7')
  })

  it('resets before the head, once it has read the request', async () => {
    await put({ resetHead: true })
    const failed = await ask().then(
      () => false,
      () => true,
    )
    expect(failed).to.equal(true)
    expect(llm.requests).to.have.length(1)
  })

  it('answers no more than so many at a time', async () => {
    await put({ maxAnswers: { answers: 2 }, hang: 'body' })
    const open = [await ask(), await ask()]
    expect(open.map(({ status }) => status)).to.deep.equal([200, 200])
    expect((await ask()).status).to.equal(429)
    await put({ maxAnswers: { answers: 2, status: 503 } })
    expect((await ask()).status).to.equal(503)
    for (const response of open) await response.body?.cancel()
    for (;;) if ((await ask()).status === 200) break
  })
})
