import { expect } from 'chai'
import { sessionSchema } from '../../src/protocol/api.js'
import { nextTurn, startTurn } from '../support/chat-client.js'
import { engine } from '../support/engines.js'
import { outageRig } from '../support/outage-rig.js'
import { postgresDatabases } from '../support/postgres.js'
import { makeStandby, startPostgresServer, startPrimary } from '../support/postgres-server.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { until } from '../support/until.js'

describe('a service with PostgreSQL', function () {
  this.timeout(60_000)
  const databases = postgresDatabases()
  const flags = temporaryFlags()
  let llm: RunningProcess
  let url: string
  let member: string
  const start = (env: Record<string, string> = {}) =>
    startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: 'http://127.0.0.1:1',
      flags,
      env: { CHAT_DATABASE: url, ...env },
    })
  const messages = async (service: RunningProcess, sessionId: string): Promise<string[]> => {
    const response = await fetch(`${service.url}/api/v1/chat/sessions/${sessionId}`, {
      headers: { authorization: member },
    })
    const { data } = (await response.json()) as { data: unknown }
    return sessionSchema.parse(data).messages.map(({ role }) => role)
  }

  before(async () => {
    llm = await startSimulator('llm')
    url = await databases.create()
    member = await bearer()
  })
  after(async () => {
    await llm?.end()
    flags.remove()
  })

  it('has its conversations on every replica, and after a restart', async () => {
    const [one, two] = await Promise.all([start({ CHAT_REPLICA: 'one' }), start({ CHAT_REPLICA: 'two' })])
    const { sessionId } = await startTurn(one.url, member)
    expect(await messages(two, sessionId)).to.deep.equal(['user', 'assistant'])
    await until('the tokens of the turn, and both replicas', async () => {
      const [sum] = await databases.query(url, 'SELECT sum(tokens)::int AS tokens FROM org_tokens')
      const replicas = await databases.query(url, 'SELECT name, state FROM replicas ORDER BY name')
      const names = replicas.map(({ name, state }) => `${name} ${state}`).join()
      return Number(sum?.tokens) > 0 && names === 'one ready,two ready'
    })
    expect((await nextTurn(two.url, member, sessionId)).status).to.equal(200)
    expect(await one.end('SIGTERM')).to.equal(0)
    const again = await start({ CHAT_REPLICA: 'one' })
    expect(await messages(again, sessionId)).to.have.length(4)
    expect((await nextTurn(again.url, member, sessionId)).terminal?.event).to.equal('done')
    const [kept] = await databases.query(url, 'SELECT count(*)::int AS count FROM executions')
    expect(kept?.count).to.be.at.least(2)
    expect(await again.end('SIGTERM')).to.equal(0)
    expect(await two.end('SIGTERM')).to.equal(0)
  })

  it('does not start with a database that only an operator can make', async () => {
    const missing = new URL(url)
    missing.pathname = '/nowhere'
    const failure = await start({ CHAT_DATABASE: missing.href }).catch((thrown: unknown) => String(thrown))
    expect(failure).to.include('database "nowhere" does not exist')
  })
})

describe('a service without its PostgreSQL', function () {
  this.timeout(90_000)
  const server = engine(startPostgresServer, (one) => one.remove())
  const { outage } = outageRig(async () => ({ CHAT_DATABASE: server().url() }))

  it('that is stopped and started', () =>
    outage(
      () => server().stop('immediate'),
      () => server().start(),
    ))

  it('that hangs', () =>
    outage(
      async () => server().pause(),
      async () => server().resume(),
    ))
})

describe('a service whose PostgreSQL moves to its standby', function () {
  this.timeout(90_000)
  const primary = engine(startPrimary, (one) => one.remove())
  const standby = engine(
    async () => {
      const made = await makeStandby(primary())
      await made.start()
      return made
    },
    (one) => one.remove(),
  )
  let proxy: TcpProxy
  before(async () => {
    proxy = await TcpProxy.start(primary().port)
  })
  after(() => proxy?.close())
  const { outage } = outageRig(async () => ({
    CHAT_DATABASE: `postgres://chat@127.0.0.1:${proxy.port}/postgres`,
  }))

  it('goes on while that is read-only, and writes what waited once it is promoted', () =>
    outage(
      async () => {
        await primary().stop()
        proxy.moveTo(standby().port)
      },
      async () => standby().promote(),
    ))
})
