import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { bearer, type Edge, type EdgeOptions, startEdge } from '../../support/edge.js'
import { requireEnvoy, startEnvoy, type TestEnvoy } from '../../support/envoy.js'
import { rawStart } from '../../support/raw-client.js'
import { eventsOf, storyOf } from '../../support/resuming.js'
import { temporaryDirectory } from '../../support/temporary-directory.js'
import { toldBackend } from '../../support/told-backend.js'
import { until } from '../../support/until.js'

/** The Envoy of the machine, where there is one, with deploy/envoy/envoy.yaml; only addresses and ports are others. */
describe('Envoy in front of replicas', function () {
  this.timeout(30_000)
  const directory = temporaryDirectory()
  let authorization = ''
  const closers: (() => Promise<void>)[] = []

  before(async function () {
    requireEnvoy(this)
    authorization = await bearer()
  })
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  async function replica(options: EdgeOptions = {}): Promise<Edge> {
    const edge = await startEdge(options)
    closers.push(edge.close)
    return edge
  }

  async function envoy(...replicas: readonly { readonly port: number }[]): Promise<TestEnvoy> {
    const ports = replicas.map(({ port }) => port)
    const started = await startEnvoy(ports, directory.path())
    closers.push(started.stop)
    return started
  }

  const start = ({ port }: { port: number }, message = 'Hi', headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ agentId: 'assistant', message }),
    })

  async function statuses(answers: Promise<Response>[]): Promise<number[]> {
    return Promise.all(
      answers.map(async (pending) => {
        const answer = await pending
        await answer.arrayBuffer()
        return answer.status
      }),
    )
  }

  it('keeps the metrics inside', async () => {
    const { port } = await envoy(await replica())
    for (const path of ['/metrics', '/metrics?x=1', '/metrics/', '/METRICS', '//metrics'])
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status, path).to.equal(404)
  })

  it('passes answers and their headers on as they are: 200, 401, 429 and 503', async () => {
    const edge = await replica({ turnsPerMinute: 1 })
    const proxy = await envoy(edge)
    const both = (message?: string, headers?: Record<string, string>) =>
      Promise.all([edge, proxy].map(async (to) => plain(await start(to, message, headers))))
    const asked = { 'x-request-id': 'asked-for' }
    const health = await Promise.all(
      [edge, proxy].map(async ({ port }) =>
        plain(await fetch(`http://127.0.0.1:${port}/health/live`, { headers: asked })),
      ),
    )
    expect(health[1]).to.deep.equal(health[0])
    expect(await statuses([start(edge)])).to.deep.equal([200])
    const seen: number[] = []
    for (const headers of [{ ...asked, authorization: 'Bearer wrong' }, asked]) {
      const [direct, through] = await both('Hi', headers)
      expect(through).to.deep.equal(direct)
      expect(through?.headers['x-request-id']).to.equal('asked-for')
      seen.push(through?.status ?? 0)
    }
    edge.state = 'draining'
    await until('its health check', async () => (await proxy.health()).get(edge.port) === false)
    const [direct, through] = await both('Hi', asked)
    expect(through).to.deep.equal(direct)
    expect(through?.headers).to.include.keys('retry-after', 'x-request-id')
    expect([...seen, through?.status]).to.deep.equal([401, 429, 503])
  })

  it('passes the 413 on while the body still comes', async () => {
    const edge = await replica()
    const [direct, through] = await Promise.all(
      [edge, await envoy(edge)].map(async (to) =>
        plain(await start(to, 'x'.repeat(4_000_000), { 'x-request-id': 'asked-for' })),
      ),
    )
    expect(through).to.deep.equal(direct)
    expect(through?.status).to.equal(413)
  })

  it('sends what a replica does not take to another one, before its health check has noticed', async () => {
    const [gone, other] = [await replica(), await replica()]
    const proxy = await envoy(gone, other)
    await gone.close()
    closers.shift()
    const reads = Array.from({ length: 20 }, () => fetch(`http://127.0.0.1:${proxy.port}/health/live`))
    const turns = Array.from({ length: 20 }, () => start(proxy))
    expect(new Set(await statuses([...reads, ...turns]))).to.deep.equal(new Set([200]))
    await until('the turns', () => other.outcomes.length >= 20)
    expect(other.outcomes).to.have.length(20)
  })

  it('sends no message twice where the replica breaks off after it has it', async () => {
    const got: string[] = []
    const broken = async (): Promise<{ port: number }> => {
      const server = createServer((request, response) => {
        if (request.method === 'GET') return response.end('ready')
        got.push(request.url ?? '')
        return request.socket.resetAndDestroy()
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      closers.push(async () => {
        server.close()
        server.closeAllConnections()
      })
      return server.address() as AddressInfo
    }
    const proxy = await envoy(await broken(), await broken(), await broken())
    expect(await statuses([start(proxy)])).to.deep.equal([503])
    expect(got).to.deep.equal(['/api/v1/chat/start'])
  })

  it('ends the turn of a client that left', async () => {
    const script = toldBackend()
    const proxy = await envoy(await replica({ backends: { direct_llm: script.backend } }))
    const client = await rawStart(proxy.port, authorization)
    await client.waitFor('\r\n\r\n')
    await script.tell('a')
    await client.waitFor('"a"')
    client.socket.destroy()
    await until('the end of the turn', () => script.seen.aborted)
  })

  it('gives no new turns to replicas that leave, though most do, and lets their streams run to their end', async () => {
    const script = toldBackend()
    const leaving = await replica({ backends: { direct_llm: script.backend } })
    const others = [await replica(), await replica()] as const
    for (const other of others) other.state = 'starting'
    const proxy = await envoy(leaving, ...others)
    const client = await rawStart(proxy.port, authorization)
    await client.waitFor('\r\n\r\n')
    await script.tell('a')

    for (const other of others) other.state = 'ready'
    await until('all to be healthy', async () => {
      const health = await proxy.health()
      return [leaving, ...others].every(({ port }) => health.get(port) === true)
    })
    leaving.state = 'draining'
    others[0].state = 'draining'
    // Envoy tells its threads at most once a second what its health checks say.
    const ask = () => fetch(`http://127.0.0.1:${proxy.port}/health/ready`)
    await until('one to be left', async () =>
      (await statuses(Array.from({ length: 12 }, ask))).every((status) => status === 200),
    )

    const turns = Array.from({ length: 12 }, () => start(proxy))
    expect(new Set(await statuses(turns))).to.deep.equal(new Set([200]))
    expect(others[1].outcomes).to.have.length(12)
    await script.tell('b')
    await script.tell()
    await client.waitFor('\r\n0\r\n\r\n')
    const { text, last } = storyOf(eventsOf(client.received()))
    expect({ text, last }).to.deep.equal({ text: 'ab', last: 'done' })
  })

  it('learns within seconds that a replica is ready, where no request has come yet', async () => {
    const [first, second] = [await replica(), await replica()]
    second.state = 'starting'
    const proxy = await envoy(first, second)
    expect((await proxy.health()).get(second.port)).to.equal(false)
    second.state = 'ready'
    await until('the replica', async () => (await proxy.health()).get(second.port) === true)
  })
})

/** What each hop says of its own connection. */
const OF_A_HOP = ['connection', 'date', 'keep-alive', 'transfer-encoding']
/** Two answers may be a second apart. */
const IN_SECONDS = ['retry-after', 'ratelimit-reset', 'x-ratelimit-reset']

async function plain(answer: Response) {
  const headers = [...answer.headers]
    .filter(([name]) => !OF_A_HOP.includes(name))
    .map(([name, value]) => [name, IN_SECONDS.includes(name) ? value.replace(/^\d+$/, 's') : value])
  return { status: answer.status, headers: Object.fromEntries(headers), body: await answer.text() }
}
