import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  type FlagEditAnswer,
  flagEditAnswerSchema,
  flagEditPreviewSchema,
} from '../../src/protocol/flag-edit.js'
import { flagEditEntrySchema } from '../../src/protocol/flag-edit-record.js'
import { flagEditNotificationSchema } from '../../src/protocol/notification.js'
import { dataOf, errorOf } from '../support/answers.js'
import { startTurn } from '../support/chat-client.js'
import { flagdKind, startTestFlagd, type TestFlagd } from '../support/flagd.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  type TemporaryFlags,
  temporaryFlags,
} from '../support/processes.js'
import { until } from '../support/until.js'

/** Edits of the operators' file through the running service: what operators and users see. */
describe('an edit of the flags through the running service', function () {
  this.timeout(60_000)
  let llm: RunningProcess
  let runtime: RunningProcess
  let flags: TemporaryFlags
  let flagd: TestFlagd | undefined
  let services: RunningProcess[] = []

  before(async () => {
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
  })
  after(() => Promise.all([llm.end(), runtime.end()]))
  beforeEach(() => {
    flags = temporaryFlags()
  })
  afterEach(async () => {
    await Promise.all(services.map((service) => service.end()))
    services = []
    await flagd?.close()
    flagd = undefined
    flags.remove()
  })

  async function start(env: Record<string, string> = {}): Promise<RunningProcess> {
    const service = await startServiceProcess({ llmUrl: llm.url, runtimeUrl: runtime.url, flags, env })
    services.push(service)
    return service
  }

  const call = async (service: RunningProcess, method: string, path = '', body?: object, tag = '*') =>
    fetch(`${service.url}/api/v1/runtime/flags${path}`, {
      method,
      headers: {
        authorization: await bearer({ role: 'admin', user: 'operator-1' }),
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'if-match': tag }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  const edit = async (service: RunningProcess, body: object, tag?: string): Promise<FlagEditAnswer> =>
    flagEditAnswerSchema.parse(await dataOf(await call(service, 'PATCH', '', body, tag)))

  /** Of a turn; once more where a busy machine let the answers by rpc run out of their 50 ms: it takes what was known before. */
  async function modeOf(service: RunningProcess): Promise<unknown> {
    for (;;) {
      const { terminal } = await startTurn(service.url, await bearer())
      if (terminal?.event !== 'done' || terminal.data.decision.reason !== 'stale')
        return terminal?.data.executionMode
    }
  }

  for (const resolver of ['file', 'in-process', 'rpc'] as const)
    it(`decides the next turn, by resolver ${resolver} (${flagdKind === 'flagd' ? 'the real flagd' : 'the flagd simulator'})`, async () => {
      if (resolver !== 'file') flagd = await startTestFlagd([flags.opsFile, flags.overrideFile])
      const port = resolver === 'rpc' ? flagd?.evaluationPort : flagd?.syncPort
      const service = await start({
        FLAGD_RESOLVER: resolver,
        ...(port === undefined ? {} : { FLAGD_HOST: '127.0.0.1', FLAGD_PORT: String(port) }),
      })
      const state = async () => {
        const data = await dataOf(await call(service, 'GET'))
        return typeof data === 'object' && data !== null && 'state' in data && data.state
      }
      await until('the flags', async () => (await state()) === 'ready', 15_000)
      expect(await modeOf(service)).to.equal('direct_llm')
      let tag = '*'
      for (const mode of ['runtime_orchestrator', 'direct_llm', 'runtime_orchestrator'] as const) {
        const answer = await edit(service, { mode }, tag)
        expect([answer.inForce, answer.note]).to.deep.equal([true, ''])
        expect(await modeOf(service)).to.equal(mode)
        tag = answer.etag
      }
    })

  it('is refused where flagd serves a file that is not here', async () => {
    flagd = await startTestFlagd([flags.opsFile, flags.overrideFile])
    const service = await start({
      FLAGD_RESOLVER: 'rpc',
      FLAGD_HOST: '127.0.0.1',
      FLAGD_PORT: String(flagd.evaluationPort),
      CHAT_FLAGS_FILE: join(flags.folder, 'elsewhere.json'),
    })
    const before = flags.read()
    const response = await call(service, 'PATCH', '', { mode: 'direct_llm' })
    expect([response.status, (await errorOf(response)).code]).to.deep.equal([409, 'flags_elsewhere'])
    expect(flags.read()).to.equal(before)
  })

  it('is in force in every replica, kept over a restart, and told to the webhook', async () => {
    const hooks = await webhook()
    const env = { CHAT_NOTIFY_URL: hooks.url, CHAT_REPLICA: 'first' }
    const [first, second] = [await start(env), await start({ CHAT_REPLICA: 'second' })]
    for (let turn = 0; turn < 3; turn += 1) await startTurn(first.url, await bearer())
    const dry = await call(first, 'PATCH', '?dryRun=true', { enabledOrgs: { add: ['acme'] } })
    const preview = flagEditPreviewSchema.parse(await dataOf(dry))
    expect(preview.effect).to.deep.include({ sessions: 3, toRuntime: 3, toDirect: 0, unknown: 0 })

    const answer = await edit(first, { enabledOrgs: { add: ['acme'] } }, preview.etag)
    expect(answer.inForce).to.equal(true)
    await until('the other replica', async () => (await modeOf(second)) === 'runtime_orchestrator')
    const stale = await call(second, 'PATCH', '', { mode: 'direct_llm' }, preview.etag)
    expect(stale.status).to.equal(412)
    await edit(second, { canaryPercent: 5 }, answer.etag)

    await until('the notification', () => hooks.bodies.length === 1)
    const told = flagEditNotificationSchema.parse(JSON.parse(hooks.bodies[0] ?? ''))
    expect(told).to.deep.include({ kind: 'flags_edited', userId: 'operator-1', replica: 'first' })
    expect(
      first.log.some(({ msg, userId }) => msg === '[Flags] edited by the API' && userId === 'operator-1'),
    ).to.equal(true)

    await Promise.all(services.splice(0).map((service) => service.end()))
    const third = await start({ CHAT_REPLICA: 'third' })
    const history = flagEditEntrySchema.array().parse(await dataOf(await call(third, 'GET', '/history')))
    expect(history.map(({ replica, userId }) => [replica, userId])).to.deep.equal([
      ['second', 'operator-1'],
      ['first', 'operator-1'],
    ])
    expect(history[0]?.fromContent).to.equal(history[1]?.toContent)
    hooks.server.close()
  })
})

async function webhook(): Promise<{ url: string; bodies: string[]; server: Server }> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString()
    })
    request.on('end', () => {
      bodies.push(body)
      response.end('ok')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, bodies, server }
}
