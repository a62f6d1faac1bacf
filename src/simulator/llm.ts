import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { answerPieces } from './answers.js'
import type { Faults } from './faults.js'
import { awaitHead, type Dialect, FaultyStream, type Frame, leavingOf } from './faulty-stream.js'
import { choicesOf, deltasOf, encoded, encodingName, errorWire } from './llm-habits.js'
import { LlmLimits } from './llm-limits.js'
import { type Refusal, refusalOf } from './llm-refusals.js'
import {
  type ReceivedRequest,
  type Simulator,
  type SimulatorOptions,
  send,
  startSimulator,
} from './simulator-server.js'

// Loose: a field that is refused by name may be any.
const chatSchema = z.looseObject({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
  stream: z.boolean().optional(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
})
type ChatBody = z.infer<typeof chatSchema>

/** A stand-in for an OpenAI-compatible server, at any path that ends in `/chat/completions`, or in `/models` (GET). */
export async function startLlmSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const limits = new LlmLimits()
  return startSimulator(options, async (request, response, faults) => {
    if (request.method === 'GET' && request.path === '/health') return send(response, 200, { status: 'ok' })
    if (request.method === 'GET' && request.path.endsWith('/models')) {
      if (faults.status !== undefined) return sendError(response, faults.status, 'simulated')
      return send(response, 200, { object: 'list', data: [{ id: 'simulated', object: 'model' }] })
    }
    if (request.method !== 'POST' || !request.path.endsWith('/chat/completions')) {
      return sendError(response, 404, 'not_found')
    }
    const leave = limits.enter(faults)
    try {
      if (typeof leave === 'number') return sendError(response, leave, 'simulated_limit', faults)
      await complete(request, response, faults)
    } finally {
      if (typeof leave !== 'number') leave()
    }
  })
}

async function complete(request: ReceivedRequest, response: ServerResponse, faults: Faults): Promise<void> {
  const leaving = leavingOf(response)
  if (!(await awaitHead(faults, leaving.signal))) return
  if (faults.resetHead === true) {
    response.socket?.resetAndDestroy()
    return
  }
  if (faults.status !== undefined) return sendError(response, faults.status, 'simulated_error', faults)
  if (faults.errorWith200 !== undefined) return sendError(response, 200, faults.errorWith200)
  if (faults.html === true) return sendPage(response)
  const { redirect } = faults
  if (redirect !== undefined && !redirect.location.endsWith(request.path)) {
    response.writeHead(redirect.status, { location: redirect.location }).end()
    return
  }
  const body = parseChat(request.body)
  if (body === undefined) return sendError(response, 400, 'invalid_request_error')
  const refusal = refusalOf(request, body, faults)
  if (refusal !== undefined) return sendRefusal(response, refusal)
  const pieces = piecesOf(body, faults)
  if (body.stream !== true || faults.unstreamed === true)
    return send(response, 200, wholeCompletion(body, pieces, faults))
  response.writeHead(200, headOf(faults))
  response.flushHeaders()
  const stream = new FaultyStream(
    encoded(response, faults.encoding),
    faults,
    dialect(body, faults),
    leaving.signal,
  )
  await stream.send(completionFrames(body, pieces, faults))
}

function* completionFrames(body: ChatBody, pieces: readonly string[], faults: Faults): Generator<Frame> {
  yield { kind: 'event', data: chunk(body, [{ index: 0, delta: { role: 'assistant', content: '' } }]) }
  if (faults.leadingText !== undefined)
    yield { kind: 'event', data: textChunk(body, { content: faults.leadingText }, faults) }
  for (const [at, content] of pieces.entries()) {
    if (faults.keepAliveData !== undefined) yield { kind: 'event', data: faults.keepAliveData }
    for (const delta of deltasOf(content, faults, at === 0))
      yield { kind: 'text', data: textChunk(body, delta, faults) }
  }
  if (faults.noTerminal === true) return
  if (faults.endless !== true) {
    const finish = faults.finishReason ?? faults.finishEveryChunk ?? 'stop'
    yield { kind: 'event', data: chunk(body, [{ index: 0, delta: {}, finish_reason: finish }]) }
    if (body.stream_options?.include_usage === true && faults.noUsage !== true) {
      const delay = faults.usageDelayMs === undefined ? {} : { delayMs: faults.usageDelayMs }
      yield { kind: 'event', data: chunk(body, [], usageOf(body, pieces)), ...delay }
    }
  }
  yield { kind: 'done', data: faults.doneText ?? '[DONE]' }
}

function dialect(body: ChatBody, faults: Faults): Dialect {
  return {
    newline: 'lf',
    ping: ': ping\n\n',
    textFrame: (content) => textChunk(body, { content }, faults),
    errorFrame(fault) {
      const { code, message } = toldError(fault)
      return JSON.stringify({ error: { message, type: 'server_error', code } })
    },
    errorWire(fault) {
      const { code, message } = toldError(fault)
      return errorWire(faults.errorForm, code, message)
    },
  }
}

function toldError(fault: Exclude<Faults['errorEvent'], undefined>): { code: string; message: string } {
  const told = fault === true ? {} : fault
  return { code: told.code ?? 'simulated_error', message: told.error ?? 'simulated failure' }
}

function headOf({ contentType, encoding }: Faults): Record<string, string> {
  const type = contentType ?? 'text/event-stream; charset=utf-8'
  return {
    ...(type === '' ? {} : { 'content-type': type }),
    ...(encoding === undefined ? {} : { 'content-encoding': encodingName(encoding) }),
    'cache-control': 'no-cache',
  }
}

function textChunk(body: ChatBody, delta: object, faults: Faults): string {
  return chunk(body, choicesOf(delta, faults.finishEveryChunk ?? null, faults))
}

function chunk(body: ChatBody, choices: readonly unknown[], usage?: unknown): string {
  return JSON.stringify({
    id: 'chatcmpl-simulated',
    object: 'chat.completion.chunk',
    created: 0,
    model: body.model,
    choices,
    ...(usage === undefined ? {} : { usage }),
  })
}

function wholeCompletion(body: ChatBody, pieces: readonly string[], { finishReason }: Faults) {
  const message = { role: 'assistant', content: pieces.join('') }
  return {
    id: 'chatcmpl-simulated',
    object: 'chat.completion',
    created: 0,
    model: body.model,
    choices: [{ index: 0, message, finish_reason: finishReason ?? 'stop' }],
    usage: usageOf(body, pieces),
  }
}

function piecesOf(body: ChatBody, { softFailure, ...faults }: Faults): string[] {
  if (typeof softFailure === 'string') return [softFailure]
  const asked = body.messages.filter((message) => message.role === 'user')
  return answerPieces('direct', asked.at(-1)?.content ?? '', asked.length, faults)
}

function usageOf(body: ChatBody, pieces: readonly string[]) {
  const words = (text: string): number => text.split(/\s+/).filter((word) => word !== '').length
  const prompt_tokens = body.messages.reduce((sum, message) => sum + words(message.content), 0)
  const completion_tokens = pieces.length
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}

function parseChat(text: string): ChatBody | undefined {
  try {
    return chatSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** With status 200 as the only frame of a stream. */
function sendRefusal(response: ServerResponse, { status, body }: Refusal): void {
  if (status !== 200) send(response, status, body)
  else
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`data: ${JSON.stringify(body)}\n\n`)
}

function sendPage(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>simulated</title>')
}

function sendError(
  response: ServerResponse,
  status: number,
  code: string,
  { retryAfter }: Faults = {},
): void {
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter)
  send(response, status, { error: { message: `HTTP ${status}, simulated`, type: code, code } })
}
