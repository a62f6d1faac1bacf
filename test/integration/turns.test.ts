import { expect } from 'chai'
import { sessionSchema } from '../../src/protocol/api.js'
import { nextTurn, parseEvents, postTurn, startTurn } from '../support/chat-client.js'
import {
  bearer,
  type RunningProcess,
  startServiceProcess,
  startSimulator,
  temporaryFlags,
} from '../support/processes.js'
import { SOON_MS } from '../support/until.js'

/** The whole service as processes: what a client and an operator see. */

interface Fault {
  readonly fault: Record<string, unknown>
  readonly cause: string
  readonly phase: string
}

const FAULTS: readonly Fault[] = [
  { fault: { status: 500 }, cause: 'runtime_http_error', phase: 'headers' },
  { fault: { status: 422 }, cause: 'runtime_bad_request', phase: 'headers' },
  { fault: { status: 429 }, cause: 'runtime_rate_limited', phase: 'headers' },
  { fault: { refuse: true }, cause: 'runtime_unreachable', phase: 'headers' },
  { fault: { dropAfterEvents: 0 }, cause: 'runtime_disconnected', phase: 'first_content' },
  { fault: { dropAfterEvents: 1 }, cause: 'runtime_disconnected', phase: 'first_content' },
  { fault: { errorEvent: true }, cause: 'runtime_error', phase: 'first_content' },
  { fault: { garbage: true }, cause: 'runtime_protocol_error', phase: 'first_content' },
  { fault: { hang: 'headers' }, cause: 'headers_timeout', phase: 'headers' },
  { fault: { hang: 'body' }, cause: 'first_content_timeout', phase: 'first_content' },
  { fault: { pingOnly: true }, cause: 'first_content_timeout', phase: 'first_content' },
  {
    fault: { softFailure: 'I encountered an error: Planning failed: RetryError[...]. Please try again.' },
    cause: 'runtime_soft_failure',
    phase: 'first_content',
  },
]

async function setFaults(simulator: RunningProcess, faults: Record<string, unknown>): Promise<void> {
  const response = await fetch(`${simulator.url}/_faults`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(faults),
  })
  if (!response.ok) throw new Error(`faults refused: ${await response.text()}`)
}

describe('a turn through the running service', function () {
  this.timeout(30_000)
  const flags = temporaryFlags()
  let llm: RunningProcess
  let runtime: RunningProcess
  let service: RunningProcess
  let member: string

  before(async () => {
    ;[llm, runtime] = await Promise.all([startSimulator('llm'), startSimulator('runtime')])
    flags.edit((document) => {
      Object.assign(document.flags['chat-runtime-guardrails']?.variants.standard ?? {}, {
        connectMs: 500,
        headersMs: 400,
        firstContentMs: 600,
        gapMs: 600,
        llm: { connectMs: 500, headersMs: 400, firstContentMs: 600, gapMs: 600 },
      })
      // So many faults in a row are a fallback; here each turn is to meet its own.
      Object.assign(document.flags['chat-runtime-fallback-policy'] ?? {}, { defaultVariant: 'observe' })
    })
    service = await startServiceProcess({
      llmUrl: llm.url,
      runtimeUrl: runtime.url,
      flags,
      env: { CHAT_RUNTIME_ENABLED_ORGS: 'acme' },
    })
    member = await bearer()
  })

  after(async () => {
    await Promise.all([service?.end(), llm?.end(), runtime?.end()])
    flags.remove()
  })

  afterEach(async () => {
    await Promise.all([setFaults(llm, {}), setFaults(runtime, {})])
  })

  it('is ready soon after its start', () => {
    expect(service.startedInMs).to.be.lessThan(SOON_MS)
  })

  it('is answered by the runtime for an org that is let in, and by the direct LLM for another', async () => {
    const inside = await startTurn(service.url, member)
    expect(inside.terminal).to.have.nested.property('data.executionMode', 'runtime_orchestrator')
    expect(inside.text).not.to.equal('')
    const outside = await startTurn(service.url, await bearer({ org: 'other' }))
    expect(outside.terminal).to.have.nested.property('data.executionMode', 'direct_llm')
    expect(outside.terminal).to.have.nested.property('data.decision.reason', 'code_default')
  })

  it('carries the conversation into the next turn', async () => {
    const first = await startTurn(service.url, member, 'My name is Ada')
    await nextTurn(service.url, member, first.sessionId)
    const response = await fetch(`${service.url}/api/v1/chat/sessions/${first.sessionId}`, {
      headers: { authorization: member },
    })
    const { messages } = sessionSchema.parse(JSON.parse(await response.text()).data)
    expect(messages.map((message) => message.role)).to.deep.equal(['user', 'assistant', 'user', 'assistant'])
    expect(messages[1]).to.include({ status: 'answered', executionMode: 'runtime_orchestrator' })
    expect(messages[1]?.content).to.equal(first.text)
  })

  for (const { fault, cause, phase } of FAULTS)
    it(`hides a runtime with ${JSON.stringify(fault)} behind a failover (${cause})`, async () => {
      await setFaults(runtime, fault)
      const seen = await startTurn(service.url, member)
      expect(seen.terminal).to.have.property('event', 'done')
      expect(seen.terminal).to.have.nested.property('data.executionMode', 'direct_llm')
      expect(seen.terminal).to.have.nested.property('data.decision.mode', 'runtime_orchestrator')
      expect(seen.terminal).to.have.nested.property('data.failover.from', 'runtime_orchestrator')
      expect(seen.terminal).to.have.nested.property('data.failover.cause', cause)
      expect(seen.terminal).to.have.nested.property('data.failover.phase', phase)
      expect(seen.text).to.contain('direct')
      expect(service.log.some((line) => String(line.msg).includes('[Chat] 自动回退到 direct 模式'))).to.equal(
        true,
      )
    })

  it('asks a direct LLM whose context is too small with half the history, and says so', async () => {
    const other = await bearer({ org: 'other' })
    const { sessionId } = await startTurn(service.url, other, 'My name is Ada')
    for (const message of ['I like tea', 'I like cake'])
      await nextTurn(service.url, other, sessionId, message)
    await setFaults(llm, { contextCharacters: 160, refuseParameters: ['stream_options'] })
    const seen = await nextTurn(service.url, other, sessionId, 'And my name?')
    expect(seen.terminal).to.have.property('event', 'done')
    expect(seen.terminal).to.deep.nested.include({ 'data.trimmed': true, 'data.attempts': 3 })
    await setFaults(llm, { contextCharacters: 1 })
    const last = await nextTurn(service.url, other, sessionId, 'And my name?')
    expect(last.terminal).to.have.property('event', 'error')
    expect(last.terminal).to.deep.nested.include({
      'data.code': 'llm_context_too_long',
      'data.recoverable': false,
      'data.details.httpStatus': 400,
    })
    const learnt = service.log.filter((line) => String(line.msg).startsWith('[LLM]'))
    const [refused, cut, ...more] = learnt
    expect(refused).to.include({ endpoint: 'default', parameter: 'stream_options' })
    expect(cut).to.include({ endpoint: 'default' })
    expect(cut?.characters).to.be.within(1, 160)
    expect(more).to.deep.equal([])
  })

  it('ends in one honest error when the runtime breaks off in the middle of the answer', async () => {
    await setFaults(runtime, { dropAfterEvents: 4 })
    const seen = await startTurn(service.url, member)
    expect(seen.text).not.to.equal('')
    expect(seen.terminal).to.have.property('event', 'error')
    expect(seen.terminal).to.have.nested.property('data.code', 'runtime_disconnected')
    expect(seen.terminal).to.have.nested.property('data.executionMode', 'runtime_orchestrator')
  })

  it('names both failures when both backends fail', async () => {
    await Promise.all([setFaults(runtime, { status: 503 }), setFaults(llm, { status: 500 })])
    const seen = await startTurn(service.url, member)
    expect(seen.terminal).to.have.property('event', 'error')
    expect(seen.terminal).to.have.nested.property('data.code', 'llm_http_error')
    expect(seen.terminal).to.have.nested.property('data.executionMode', 'direct_llm')
    expect(seen.terminal).to.have.nested.property('data.details.runtime.code', 'runtime_http_error')
  })

  it('stops on request: done with stopped, the runtime told to cancel, the next turn taken', async () => {
    await setFaults(runtime, { endless: true, gapMs: 20 })
    const response = await postTurn(service.url, member, 'start', { agentId: 'assistant', message: 'Hello' })
    const sessionId = response.headers.get('x-chat-session-id') ?? ''
    const reader = response.body?.getReader()
    if (reader === undefined) throw new Error('no body')
    let body = ''
    const decoder = new TextDecoder()
    while (!body.includes('"text"')) {
      const { value } = await reader.read()
      body += decoder.decode(value, { stream: true })
    }
    const stop = await postTurn(service.url, member, `sessions/${sessionId}/stop`, {})
    expect(await stop.json()).to.deep.equal({ success: true, data: { stopped: true } })
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      body += decoder.decode(value, { stream: true })
    }
    expect(parseEvents(body).at(-1)).to.have.nested.property('data.stopped', true)
    await setFaults(runtime, {})
    const next = await nextTurn(service.url, member, sessionId)
    expect(next.terminal).to.have.property('event', 'done')
    const received = await (await fetch(`${runtime.url}/_requests`)).text()
    expect(received).to.contain('/api/v1/execute/cancel')
  })

  it('follows a saved flag file while turns run, and never refuses one when the file is broken', async () => {
    const modes: string[] = []
    const seenMode = async (): Promise<string> => {
      const { terminal } = await startTurn(service.url, member)
      return terminal?.event === 'done' ? terminal.data.executionMode : 'error'
    }
    const until = async (mode: string): Promise<void> => {
      const deadline = performance.now() + 5000
      while (performance.now() < deadline) {
        modes.push(await seenMode())
        if (modes.at(-1) === mode) return
      }
      throw new Error(`no turn on ${mode}: ${modes.join(' ')}`)
    }
    const whole = flags.read()
    flags.edit((document) => {
      Object.assign(document.flags['chat-execution-mode'] ?? {}, { defaultVariant: 'direct_llm' })
    })
    await until('direct_llm')
    flags.write('{ "flags": {')
    await until('direct_llm')
    flags.write(whole)
    await until('runtime_orchestrator')
    expect(modes).not.to.contain('error')
  })
})
