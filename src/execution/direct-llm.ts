import { type Clock, systemClock } from '../core/clock.js'
import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from './backend.js'
import { readErrorBody } from './bounded-body.js'
import { ExecutionError } from './execution-error.js'
import { isForeign } from './foreign.js'
import { createHttpClient } from './http-client.js'
import { LlmTranslator, llmErrorCode } from './llm-events.js'
import { completionsUrl, llmRequestBody } from './llm-request.js'
import { fenceHeaders } from './shadow-fence.js'
import { SseReader } from './sse-reader.js'
import { httpFailure, transportFailure } from './upstream-failure.js'
import type { UpstreamResponse } from './upstream-response.js'
import { llmRejects } from './whose-fault.js'

export interface DirectLlmOptions {
  /** of an OpenAI-compatible server, up to and without `/chat/completions` */
  readonly baseUrl: string
  readonly apiKey?: string
  /** where the profile names none */
  readonly model: string
}

/** ms to wait for the usage once a `finish_reason` came. */
const USAGE_MS = 1000

/** Any OpenAI-compatible server as a backend. `close()` ends everything still open. */
export function createDirectLlm(
  options: DirectLlmOptions,
  deps: { readonly clock?: Clock } = {},
): ChatBackend & { close(): void } {
  const clock = deps.clock ?? systemClock
  const client = createHttpClient(clock)
  const authorization: Record<string, string> =
    options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }
  const url = completionsUrl(options.baseUrl)

  async function* execute(
    turn: Turn,
    call: ExecutionCall,
  ): AsyncGenerator<readonly BackendEvent[], void, undefined> {
    let response: UpstreamResponse | undefined
    let complete = false
    try {
      response = await client.post({
        url,
        headers: {
          accept: 'text/event-stream',
          'x-request-id': turn.requestId,
          ...fenceHeaders(turn),
          ...authorization,
        },
        body: llmRequestBody(turn, options.model),
        signal: call.signal,
        connectMs: call.connectMs,
        headersMs: call.headersMs,
        onConnected: () => call.onConnected(),
      })
      await checkHead(response, clock)
      call.onHeaders()
      const translator = new LlmTranslator()
      const reader = new SseReader(response)
      while (!translator.settled && !translator.done) {
        const batch = translator.translate(await mustRead(reader))
        if (batch.length > 0) yield batch
        if (translator.error !== undefined) throw translator.error
      }
      call.onComplete()
      if (!translator.done && !translator.counted) await readUsage(translator, reader, clock)
      if (translator.usage !== undefined) yield [{ type: 'usage', data: translator.usage }]
      complete = true
    } catch (thrown) {
      throw transportFailure('llm', thrown)
    } finally {
      if (complete) response?.release()
      else response?.destroy()
    }
  }

  return { mode: 'direct_llm', execute, close: () => client.close() }
}

async function checkHead(response: UpstreamResponse, clock: Clock): Promise<void> {
  if (response.status < 200 || response.status > 299) {
    const body = await readErrorBody(response, clock)
    const code = isForeign(body) ? llmErrorCode(body.error) : undefined
    throw httpFailure('llm', response.status, code ?? '', {
      ...(code === undefined ? {} : { upstreamCode: code }),
      ...(llmRejects(response.status, body) ? { rejected: true } : {}),
    })
  }
  if (!response.contentType.toLowerCase().startsWith('text/event-stream')) {
    throw new ExecutionError('llm_protocol_error', 'headers', 'the answer is not an event stream')
  }
}

async function mustRead(reader: SseReader): Promise<readonly string[]> {
  const chunks = await reader.read()
  if (chunks === undefined) throw new ExecutionError('llm_disconnected', 'streaming', 'ended early')
  return chunks
}

/** The answer is complete; whatever happens now, it stays so. */
async function readUsage(translator: LlmTranslator, reader: SseReader, clock: Clock): Promise<void> {
  let timer: ReturnType<Clock['schedule']> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = clock.schedule(USAGE_MS, () => resolve(undefined))
  })
  try {
    while (!translator.done && !translator.counted) {
      const chunks = await Promise.race([reader.read().catch(() => undefined), late])
      if (chunks === undefined) return
      translator.translate(chunks)
    }
  } finally {
    timer?.cancel()
  }
}
