import { expect } from 'chai'
import { postTurn, readTurn } from '../support/chat-client.js'
import { postCompletion } from '../support/openai.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  TEST_SECRET,
  temporaryFlags,
} from '../support/processes.js'

const MESSAGE = 'marmalade-message'
const API_KEY = 'sk-marmalade-llm-key'
const HOOK = 'marmalade-hook'

/** Everything a service does, at the level at which it says most. */
describe('the log of a service at level trace', function () {
  this.timeout(60_000)
  const flags = temporaryFlags()
  const started: RunningProcess[] = []
  const keep = async (starting: Promise<RunningProcess>): Promise<RunningProcess> => {
    const one = await starting
    started.push(one)
    return one
  }
  after(async () => {
    await Promise.all(started.map((one) => one.end()))
    flags.remove()
  })

  it('has no token, no key, and nothing of what users and backends say', async () => {
    const [llm, runtime] = await Promise.all([keep(startSimulator('llm')), keep(startSimulator('runtime'))])
    const service = await keep(
      startServiceProcess({
        llmUrl: llm.url,
        runtimeUrl: runtime.url,
        flags,
        env: {
          LOG_LEVEL: 'trace',
          LLM_API_KEY: API_KEY,
          CHAT_NOTIFY_URL: `${llm.url}/${HOOK}`,
          CHAT_RUNTIME_ENABLED_ORGS: 'acme',
          CHAT_RUNTIME_SHADOW_PERCENT: '100',
          CHAT_SHADOW_KEEP_CONTENT: 'true',
          CHAT_OPENAI_MODELS: 'gpt-4o=assistant',
        },
      }),
    )
    const tokens = [await bearer(), await bearer({ org: 'other' }), await bearer({ role: 'owner' })]
    const [member = '', other = '', owner = ''] = tokens
    const setFaults = (simulator: RunningProcess, faults: object) =>
      fetch(`${simulator.url}/_faults`, {
        method: 'PUT',
        body: JSON.stringify(faults),
        headers: { 'content-type': 'application/json' },
      })
    const turns = async (): Promise<void> => {
      for (const token of [member, other]) {
        const seen = await readTurn(
          await postTurn(service.url, token, 'start', {
            agentId: 'assistant',
            message: `use a tool ${MESSAGE}`,
          }),
        )
        await readTurn(await postTurn(service.url, token, `sessions/${seen.sessionId}`, { message: MESSAGE }))
      }
      const messages = [{ role: 'user', content: MESSAGE }]
      await (await postCompletion(service.url, member, { messages })).text()
    }
    await turns()
    await setFaults(runtime, { status: 500 })
    await setFaults(llm, { status: 401 })
    await turns()
    const call = (path: string, authorization: string, body?: string) =>
      fetch(`${service.url}/api/v1${path}`, {
        ...(body === undefined ? {} : { method: 'POST', body }),
        headers: { authorization, 'content-type': 'application/json' },
      }).then((response) => response.text())
    await call('/chat/start', member, `{"agentId":"a","message":"${MESSAGE}`)
    await call('/chat/start', `${member}x`, '{}')
    await call('/runtime/fallback/trigger', owner, JSON.stringify({ reason: 'a drill' }))
    await call('/runtime/export?userId=user-1', owner)
    await call('/runtime/erase', owner, JSON.stringify({ userId: 'user-1' }))
    await service.end()
    expect(service.log.length).to.be.greaterThan(10)
    const log = JSON.stringify(service.log)
    expect(log).to.include('[Data] erased')
    const secrets = [
      MESSAGE,
      API_KEY,
      HOOK,
      TEST_SECRET,
      'Answer 1 to',
      ...tokens.map((token) => token.replace('Bearer ', '')),
    ]
    for (const secret of secrets) expect(log.includes(secret), secret).to.equal(false)
    // Nor a signature alone, by which a token could be put together again.
    for (const token of tokens) expect(log.includes(token.split('.')[2] ?? ''), 'a signature').to.equal(false)
  })
})
