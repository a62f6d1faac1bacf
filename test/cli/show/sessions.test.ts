import { Readable } from 'node:stream'
import { expect } from 'chai'
import { sessionListSchema } from '../../../src/protocol/session-list.js'
import { startTurn } from '../../support/chat-client.js'
import { operatorEnv, runCli } from '../../support/cli.js'
import { bearer, type Edge, startEdge } from '../../support/edge.js'
import { answering } from '../../support/scripted-backend.js'

describe('chat-cutover sessions', () => {
  let edge: Edge
  let env: Record<string, string>
  let sessionId: string

  beforeEach(async () => {
    edge = await startEdge({ backends: { direct_llm: answering('direct_llm', 'Hello') } })
    env = await operatorEnv(edge)
    sessionId = (await startTurn(edge.url, await bearer({ role: 'admin' }), 'Where is\nmy order?')).sessionId
  })
  afterEach(() => edge.close())

  const typed = (text: string) => Object.assign(Readable.from([text]), { isTTY: true })
  const list = async (): Promise<number> => {
    const { out } = await runCli(['sessions', 'list', '--json'], { env })
    return sessionListSchema.parse(JSON.parse(out)).sessions.length
  }

  it('list: a table for people, the answer of the API for scripts, the way to the next page', async () => {
    await startTurn(edge.url, await bearer({ role: 'admin' }), 'x'.repeat(60))
    const { code, out } = await runCli(['sessions', 'list'], { env })
    expect(code).to.equal(0)
    expect(out).to.match(/^session +agent +last turn +turns +begins with\n/)
    expect(out)
      .to.contain(sessionId)
      .and.match(/ 1 +Where is my order\?\n/)
    expect(out).to.match(/ x{39}…\n/)
    expect(out).to.not.contain('More')
    const first = await runCli(['sessions', 'list', '--limit', '1'], { env })
    const cursor = /\nMore: chat-cutover sessions list --cursor (\S+)\n$/.exec(first.out)?.[1]
    const second = await runCli(['sessions', 'list', '--limit', '1', '--cursor', cursor ?? ''], { env })
    expect([second.code, second.out.split('\n').length]).to.deep.equal([0, 3])
    expect((await runCli(['sessions', 'list', '--lang', 'zh-CN'], { env })).out).to.match(/^会话 +智能体/)
  })

  it('delete: asks first, and erases on yes alone', async () => {
    const asked = await runCli(['sessions', 'delete', sessionId], { env, input: typed('n\n') })
    expect([asked.code, asked.out]).to.deep.equal([1, ''])
    expect(asked.err).to.equal(`Erase the conversation ${sessionId} for good? [y/N] Nothing was erased.\n`)
    expect((await runCli(['sessions', 'delete', sessionId], { env, input: typed('') })).code).to.equal(1)
    expect(await list()).to.equal(1)
    const said = await runCli(['sessions', 'delete', sessionId], { env, input: typed('yes\n') })
    expect([said.code, said.out]).to.deep.equal([0, 'Erased.\n'])
    expect(await list()).to.equal(0)
  })

  it('delete: in a script wants --yes, and tells what is not there', async () => {
    const piped = await runCli(['sessions', 'delete', sessionId], { env, input: 'y\n' })
    expect([piped.code, piped.err]).to.deep.equal([
      2,
      'Nobody can be asked here. Say --yes where you are sure\n',
    ])
    const { code, out } = await runCli(['sessions', 'delete', sessionId, '--yes', '--json'], { env })
    expect([code, JSON.parse(out)]).to.deep.equal([0, { sessionId, deleted: true }])
    const again = await runCli(['sessions', 'delete', sessionId, '--yes'], { env })
    expect([again.code, again.out]).to.deep.equal([1, ''])
    expect(again.err).to.match(/\S/)
    const zh = await runCli(['sessions', 'delete', sessionId, '--lang', 'zh-CN'], {
      env,
      input: typed('n\n'),
    })
    expect(zh.err).to.contain('确定彻底删除对话')
  })
})
