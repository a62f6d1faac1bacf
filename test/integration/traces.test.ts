import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { z } from 'zod'
import { turnTraceSchema } from '../../src/protocol/turn-trace.js'
import { readTurn, type TurnSeen } from '../support/chat-client.js'
import { freePort } from '../support/free-port.js'
import { bearer, type RunningProcess, startServiceProcess, temporaryFlags } from '../support/processes.js'
import { until } from '../support/until.js'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const CLIENTS_SPAN = 'b7ad6b7169203331'

const value = z.looseObject({ stringValue: z.string().optional() })
const attributes = z.array(z.object({ key: z.string(), value })).default([])
/** As much of OTLP's JSON as is looked at. */
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              attributes,
              links: z.array(z.object({ traceId: z.string(), spanId: z.string() })).default([]),
            }),
          ),
        }),
      ),
    }),
  ),
})
type Exported = z.infer<typeof exportSchema>
type Span = Exported['resourceSpans'][number]['scopeSpans'][number]['spans'][number]

async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  server.unref()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** of one that fails over: the request, the turn, the decision, two attempts, the request to the LLM */
const SPANS_OF_A_TURN = 6

/** A collector, an LLM and a runtime; the runtime refuses users' turns and answers shadows. */
async function standIns() {
  const exports: Exported[] = []
  const contentTypes: string[] = []
  const asked: { readonly who: string; readonly headers: IncomingHttpHeaders }[] = []
  const state = { collector: 'takes' as 'takes' | 'hangs' | 'refuses' | 'waits', go: Promise.resolve() }
  const collector = await serve(async (request, response) => {
    const body = await bodyOf(request)
    contentTypes.push(request.headers['content-type'] ?? '')
    if (state.collector === 'hangs') return
    if (state.collector === 'waits') await state.go
    if (state.collector === 'refuses') {
      response.writeHead(401).end('who are you')
      return
    }
    if (request.headers['content-type'] === 'application/json')
      exports.push(exportSchema.parse(JSON.parse(body.toString())))
    response.setHeader('content-type', 'application/json')
    response.end('{}')
  })
  const stream = (response: ServerResponse, ...frames: string[]): void => {
    response.setHeader('content-type', 'text/event-stream')
    response.end(frames.map((frame) => `data: ${frame}\n\n`).join(''))
  }
  const llm = await serve(async (request, response) => {
    await bodyOf(request)
    if (request.url?.endsWith('/models') === true) {
      response.end('{"data":[]}')
      return
    }
    asked.push({ who: 'llm', headers: request.headers })
    stream(response, '{"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}', '[DONE]')
  })
  const runtime = await serve(async (request, response) => {
    await bodyOf(request)
    if (request.url === '/health') {
      response.end('{"status":"healthy"}')
      return
    }
    const isCancel = request.url?.endsWith('/cancel') === true
    asked.push({ who: isCancel ? 'cancel' : 'runtime', headers: request.headers })
    if (isCancel) response.end('{"cancelled":true}')
    else if (request.headers['x-chat-shadow'] === '1')
      stream(response, '{"event":"execution_complete","data":{"final_response":"Hello"}}', '[DONE]')
    else {
      // Under way, and then nothing: the cancel that follows is in the trace too.
      response.setHeader('content-type', 'text/event-stream')
      response.write('data: {"event":"thinking","data":{"content":"hm","stage":"s"}}\n\n')
      setTimeout(() => response.destroy(), 20)
    }
  })
  const spans = (): Span[] =>
    exports.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
    )
  return {
    exports,
    contentTypes,
    asked,
    state,
    spans,
    urls: { collector: collector.url, llm: llm.url, runtime: runtime.url },
    close: () => [collector, llm, runtime].forEach((one) => void one.close()),
  }
}

describe('traces of the service', () => {
  const flags = temporaryFlags()
  let around: Awaited<ReturnType<typeof standIns>>
  let service: RunningProcess | undefined

  beforeEach(async () => {
    around = await standIns()
  })
  afterEach(async () => {
    await service?.end('SIGKILL')
    service = undefined
    around.close()
  })
  after(() => flags.remove())

  async function start(env: Record<string, string>): Promise<RunningProcess> {
    service = await startServiceProcess({
      llmUrl: around.urls.llm,
      runtimeUrl: around.urls.runtime,
      flags,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: around.urls.collector,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_BSP_SCHEDULE_DELAY: '50',
        CHAT_EXECUTION_MODE: 'runtime_orchestrator',
        CHAT_DATABASE: ':memory:',
        CHAT_DRAIN_MS: '1000',
        ...env,
      },
    })
    return service
  }
  async function turn({ url }: RunningProcess, headers: Record<string, string> = {}): Promise<TurnSeen> {
    const response = await fetch(`${url}/api/v1/chat/start`, {
      method: 'POST',
      headers: { authorization: await bearer(), 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ agentId: 'assistant', message: 'Hi' }),
    })
    return readTurn(response)
  }
  const keptTrace = async ({ url }: RunningProcess, { sessionId, terminal }: TurnSeen) => {
    const messageId = terminal?.event === 'done' ? terminal.data.messageId : ''
    const response = await fetch(`${url}/api/v1/chat/sessions/${sessionId}/turns/${messageId}/trace`, {
      headers: { authorization: await bearer() },
    })
    return z.object({ data: turnTraceSchema }).parse(await response.json())
  }
  const spanNamed = async (name: string): Promise<Span> => {
    await until(name, () => around.spans().some((span) => span.name === name))
    const found = around.spans().find((span) => span.name === name)
    if (found === undefined) throw new Error(name)
    return found
  }
  const headersOf = (who: string): IncomingHttpHeaders =>
    around.asked.find((request) => request.who === who)?.headers ?? {}

  it('reach a collector as the tree of a failed-over turn, and go on at the LLM and the runtime', async () => {
    const running = await start({ OTEL_SERVICE_NAME: 'chat-test', CHAT_REPLICA: 'r-1' })
    const seen = await turn(running, {
      traceparent: `00-${TRACE_ID}-${CLIENTS_SPAN}-01`,
      tracestate: 'vendor=opaque',
    })
    expect(seen.terminal?.event).to.equal('done')
    const request = await spanNamed('POST /api/v1/chat/start')
    const spans = around.spans().filter(({ traceId }) => traceId === TRACE_ID)
    const childrenOf = (id: string): string[] =>
      spans.filter(({ parentSpanId }) => parentSpanId === id).map(({ name }) => name)
    const idOf = (name: string): string => spans.find((span) => span.name === name)?.spanId ?? ''
    expect(request.parentSpanId).to.equal(CLIENTS_SPAN)
    expect(childrenOf(request.spanId)).to.deep.equal(['invoke_agent assistant'])
    expect(childrenOf(idOf('invoke_agent assistant'))).to.have.members([
      'decide',
      'attempt runtime_orchestrator',
      'attempt direct_llm',
    ])
    expect(childrenOf(idOf('attempt direct_llm'))).to.deep.equal(['chat simulated'])
    const [link] = spans.find(({ name }) => name === 'attempt direct_llm')?.links ?? []
    expect(link?.spanId).to.equal(idOf('attempt runtime_orchestrator'))

    const carriedOn = (name: string) => ({
      traceparent: `00-${TRACE_ID}-${idOf(name)}-01`,
      tracestate: 'vendor=opaque',
    })
    await until('the cancel', () => around.asked.some(({ who }) => who === 'cancel'))
    expect(headersOf('llm')).to.include(carriedOn('chat simulated'))
    expect(headersOf('runtime')).to.include(carriedOn('attempt runtime_orchestrator'))
    expect(headersOf('cancel')).to.include(carriedOn('attempt runtime_orchestrator'))

    const resource = around.exports[0]?.resourceSpans[0]?.resource.attributes ?? []
    const told = Object.fromEntries(resource.map(({ key, value: { stringValue } }) => [key, stringValue]))
    expect(told).to.include({ 'service.name': 'chat-test', 'service.instance.id': 'r-1' })
    const { data: kept } = await keptTrace(running, seen)
    expect(kept.traceId).to.equal(TRACE_ID)
    expect(
      kept.attempts.map(({ requests = [] }) => requests.map(({ endpoint, cause }) => `${endpoint} ${cause}`)),
    ).to.deep.equal([[], ['default ok']])
    const metrics = await fetch(`${running.url}/metrics`, {
      headers: { accept: 'application/openmetrics-text; version=1.0.0' },
    })
    expect(await metrics.text()).to.include(
      `trace_id="${TRACE_ID}",span_id="${idOf('invoke_agent assistant')}"`,
    )
    const lines = running.log.filter(({ requestId }) => requestId !== undefined)
    expect(lines.length).to.be.greaterThan(1)
    for (const line of lines)
      expect(line, JSON.stringify(line)).to.include({
        trace_id: TRACE_ID,
        span_id: idOf('invoke_agent assistant'),
        sessionId: seen.sessionId,
        streamId: seen.terminal?.event === 'done' ? seen.terminal.data.messageId : '',
      })
  })

  it('show a shadow as a trace of its own, linked to the turn', async () => {
    const running = await start({ CHAT_EXECUTION_MODE: 'direct_llm', CHAT_RUNTIME_SHADOW_PERCENT: '100' })
    // On a machine that is busy shadows are dropped.
    await until(
      'a shadow',
      async () => {
        expect((await turn(running)).terminal?.event).to.equal('done')
        return around.spans().some(({ name }) => name === 'shadow runtime_orchestrator')
      },
      20_000,
    )
    const shadow = await spanNamed('shadow runtime_orchestrator')
    const [link] = shadow.links
    await until('the turn of its user', () => around.spans().some(({ spanId }) => spanId === link?.spanId))
    const user = around.spans().find(({ spanId }) => spanId === link?.spanId)
    expect(user?.name).to.equal('invoke_agent assistant')
    expect(user?.traceId).to.equal(link?.traceId).and.to.not.equal(shadow.traceId)
    const carriedOn = around.asked
      .filter(({ who }) => who === 'runtime')
      .map(({ headers }) => headers.traceparent)
    expect(carriedOn).to.include(`00-${shadow.traceId}-${shadow.spanId}-01`)
    expect(headersOf('runtime')['x-chat-shadow']).to.equal('1')
  })

  it('are sent before the process ends, those of the last turn too', async () => {
    const running = await start({ OTEL_BSP_SCHEDULE_DELAY: '600000' })
    await turn(running)
    expect(around.spans()).to.deep.equal([])
    expect(await running.end('SIGTERM')).to.equal(0)
    expect(around.spans().map(({ name }) => name)).to.include('invoke_agent assistant')
  })

  it('cost nobody a turn nor a clean stop where the collector hangs or is not there', async () => {
    around.state.collector = 'hangs'
    const running = await start({})
    expect((await turn(running)).terminal?.event).to.equal('done')
    await until('a batch', () => around.contentTypes.length > 0)
    expect(await running.end('SIGTERM')).to.equal(0)
    expect(running.log.map(({ msg }) => msg)).to.include(
      '[Traces] the last spans were not taken in time and are lost',
    )

    const port = await freePort()
    const alone = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '100',
    })
    const failed = () => alone.log.filter(({ msg }) => String(msg).includes('the collector takes no spans'))
    for (let n = 0; n < 3; n += 1) expect((await turn(alone)).terminal?.event).to.equal('done')
    await until('the warning', () => failed().length > 0)
    await turn(alone)
    expect(await alone.end('SIGTERM')).to.equal(0)
    expect(failed()).to.have.length(1)
  })

  it('are told of in the log where a collector is too slow for them, or refuses them', async () => {
    let release = (): void => undefined
    const go = new Promise<void>((resolve) => {
      release = resolve
    })
    Object.assign(around.state, { collector: 'waits', go })
    const running = await start({ OTEL_BSP_MAX_QUEUE_SIZE: '4', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '4' })
    await turn(running)
    await until('the first batch', () => around.contentTypes.length > 0)
    for (let n = 0; n < 3; n += 1) expect((await turn(running)).terminal?.event).to.equal('done')
    release()
    const slower = () => running.log.filter(({ msg }) => String(msg).includes('slower than they come'))
    await until('the line', () => slower().length > 0)
    const dropped = Number(slower()[0]?.spans)
    expect(dropped).to.be.greaterThan(4)
    // Spans leave in their order: once one of a fifth turn is there, no earlier one is on its way. None was both told and sent.
    await turn(running, { traceparent: `00-${TRACE_ID}-${CLIENTS_SPAN}-01` })
    await until('the fifth turn', () => around.spans().some(({ traceId }) => traceId === TRACE_ID))
    expect(dropped + around.spans().length).to.be.at.most(5 * SPANS_OF_A_TURN)

    around.state.collector = 'refuses'
    await turn(running)
    const refused = () => running.log.find(({ msg }) => String(msg).includes('takes no spans'))
    await until('the refusal', () => refused() !== undefined)
    expect(refused()).to.include({ status: 401, error: 'Unauthorized' })
    expect(await running.end('SIGTERM')).to.equal(0)
  })

  it('are sampled and switched off by the standard variables, and are protobuf as a rule', async () => {
    const running = await start({ OTEL_TRACES_SAMPLER: 'always_off' })
    const carriedOn = () => headersOf('llm').traceparent
    await turn(running)
    expect(carriedOn()).to.match(/-00$/)
    expect(await running.end('SIGTERM')).to.equal(0)
    around.asked.splice(0)
    const off = await start({ OTEL_SDK_DISABLED: 'true' })
    await turn(off)
    expect(carriedOn()).to.equal(undefined)
    expect(await off.end('SIGTERM')).to.equal(0)
    expect(around.contentTypes).to.deep.equal([])
    const usual = await start({ OTEL_EXPORTER_OTLP_PROTOCOL: '' })
    await turn(usual)
    expect(await usual.end('SIGTERM')).to.equal(0)
    expect(around.contentTypes[0]).to.equal('application/x-protobuf')
  })
})
