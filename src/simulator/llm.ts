import type { ServerResponse } from 'node:http'
import { z } from 'zod'
import { answerPieces } from './answers.js'
import type { Faults } from './faults.js'
import { awaitHead, type Dialect, FaultyStream, type Frame, leavingOf } from './faulty-stream.js'
import {
  type ReceivedRequest,
  type Simulator,
  type SimulatorOptions,
  send,
  startSimulator,
} from './simulator-server.js'

const chatSchema = z.object({
  model: z.string(),
  messages: z.array(z.object({ role: z.string(), content: z.string() })).min(1),
  stream: z.boolean().optional(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
})
type ChatBody = z.infer<typeof chatSchema>

/** A stand-in for an OpenAI-compatible server, at any path that ends in `/chat/completions`. */
export async function startLlmSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  return startSimulator(options, async (request, response, faults) => {
    if (request.method === 'GET' && request.path === '/health') return send(response, 200, { status: 'ok' })
    if (request.method !== 'POST' || !request.path.endsWith('/chat/completions')) {
      return sendError(response, 404, 'not_found')
    }
    await complete(request, response, faults)
  })
}

async function complete(request: ReceivedRequest, response: ServerResponse, faults: Faults): Promise<void> {
  const leaving = leavingOf(response)
  if (!(await awaitHead(faults, leaving.signal))) return
  if (faults.status !== undefined) return sendError(response, faults.status, 'simulated_error')
  const body = parseChat(request.body)
  if (body === undefined) return sendError(response, 400, 'invalid_request_error')
  const pieces = piecesOf(body, faults)
  if (body.stream !== true) return send(response, 200, wholeCompletion(body, pieces))
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  })
  response.flushHeaders()
  const stream = new FaultyStream(response, faults, dialect(body), leaving.signal)
  await stream.send(completionFrames(body, pieces, faults))
}

function* completionFrames(body: ChatBody, pieces: readonly string[], faults: Faults): Generator<Frame> {
  yield { kind: 'event', data: chunk(body, [{ index: 0, delta: { role: 'assistant', content: '' } }]) }
  for (const content of pieces) yield { kind: 'text', data: textChunk(body, content) }
  if (faults.noTerminal === true) return
  if (faults.endless !== true) {
    yield { kind: 'event', data: chunk(body, [{ index: 0, delta: {}, finish_reason: 'stop' }]) }
    if (body.stream_options?.include_usage === true && faults.noUsage !== true) {
      const delay = faults.usageDelayMs === undefined ? {} : { delayMs: faults.usageDelayMs }
      yield { kind: 'event', data: chunk(body, [], usageOf(body, pieces)), ...delay }
    }
  }
  yield { kind: 'done', data: '[DONE]' }
}

function dialect(body: ChatBody): Dialect {
  return {
    newline: 'lf',
    ping: ': ping\n\n',
    textFrame: (content) => textChunk(body, content),
    errorFrame(fault) {
      const told = fault === true ? {} : fault
      const code = told.code ?? 'simulated_error'
      return JSON.stringify({
        error: { message: told.error ?? 'simulated failure', type: 'server_error', code },
      })
    },
  }
}

function textChunk(body: ChatBody, content: string): string {
  return chunk(body, [{ index: 0, delta: { content }, finish_reason: null }])
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

function wholeCompletion(body: ChatBody, pieces: readonly string[]) {
  const message = { role: 'assistant', content: pieces.join('') }
  return {
    id: 'chatcmpl-simulated',
    object: 'chat.completion',
    created: 0,
    model: body.model,
    choices: [{ index: 0, message, finish_reason: 'stop' }],
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

function sendError(response: ServerResponse, status: number, code: string): void {
  send(response, status, { error: { message: `HTTP ${status}, simulated`, type: code, code } })
}
