import type { Clock } from '../core/clock.js'
import { knownBody } from './answer-head.js'
import type { BackendEvent, ExecutionCall } from './backend.js'
import { decodedBody } from './decoded-body.js'
import { ExecutionError } from './execution-error.js'
import { parseObject } from './foreign.js'
import { LlmTranslator, type LlmTranslatorOptions } from './llm-events.js'
import { type ChunkSource, SseReader } from './sse-reader.js'
import { TransportError } from './transport-error.js'
import type { UpstreamResponse } from './upstream-response.js'

/** Characters one chunk of an answer may have: some servers send a whole answer in one. */
export const MAX_LLM_FRAME = 16_777_216

/** ms without anything more after a `finish_reason`; then the answer is over, whatever the server forgot. */
const LINGER_MS = 1000

type Batches = AsyncGenerator<readonly BackendEvent[], void, undefined>

/** The body of a good response as an answer: one batch a network read, at last its facts and its usage. */
export async function* readLlmAnswer(
  response: UpstreamResponse,
  call: Pick<ExecutionCall, 'onComplete'>,
  clock: Clock,
  options: LlmTranslatorOptions = {},
): Batches {
  const translator = new LlmTranslator(options)
  const body = decodedBody(response)
  try {
    const { kind, source } = await knownBody(body, response.contentType)
    if (kind === 'json') yield* readWhole(source, translator)
    else yield* readStream(source, translator, call, clock)
  } catch (thrown) {
    // What was held because more might have come is part of what the user got.
    const rest = translator.end()
    if (rest.length > 0) yield rest
    throw thrown
  } finally {
    body.close()
  }
  const rest = translator.end()
  if (rest.length > 0) yield rest
  if (translator.error !== undefined) throw translator.error
  call.onComplete()
  const last = factsOf(translator)
  if (last.length > 0) yield last
}

async function* readStream(
  source: ChunkSource,
  translator: LlmTranslator,
  call: Pick<ExecutionCall, 'onComplete'>,
  clock: Clock,
): Batches {
  const reader = new SseReader(source, { maxFrame: MAX_LLM_FRAME, namedErrors: true })
  while (!translator.settled) {
    const chunks = await reader.read()
    if (chunks === undefined) throw new ExecutionError('llm_disconnected', 'streaming', 'ended early')
    const batch = translator.translate(chunks)
    if (batch.length > 0) yield batch
    if (translator.error !== undefined) throw translator.error
    if (translator.done) return
  }
  yield* readOn(reader, translator, call, clock)
}

/** A `finish_reason` came: usage may follow, and on servers that send one with every chunk the rest of the text. */
async function* readOn(
  reader: SseReader,
  translator: LlmTranslator,
  call: Pick<ExecutionCall, 'onComplete'>,
  clock: Clock,
): Batches {
  let until = clock.monotonic() + LINGER_MS
  while (!translator.done) {
    // Complete as far as anybody can tell: late is only the usage now.
    if (!translator.wentOn) call.onComplete()
    const chunks = await readBefore(until, reader, translator, clock)
    if (chunks === undefined) return
    const { usage } = translator
    const batch = translator.translate(chunks)
    if (batch.length > 0) yield batch
    if (translator.error !== undefined) throw translator.error
    // Keep-alives are nothing: they must not hold up the end.
    if (batch.length > 0 || translator.usage !== usage) until = clock.monotonic() + LINGER_MS
  }
}

async function readBefore(
  until: number,
  reader: SseReader,
  translator: LlmTranslator,
  clock: Clock,
): Promise<readonly string[] | undefined> {
  let timer: ReturnType<Clock['schedule']> | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = clock.schedule(Math.max(0, until - clock.monotonic()), () => resolve(undefined))
  })
  try {
    return await Promise.race([reader.read(), late])
  } catch (thrown) {
    // Only where its `finish_reason` meant the end was the answer complete before it broke.
    if (translator.wentOn || !(thrown instanceof TransportError)) throw thrown
    return undefined
  } finally {
    timer?.cancel()
  }
}

/** A server that did not stream, though it was asked to: the whole completion as one JSON, or one a line. */
async function* readWhole(source: ChunkSource, translator: LlmTranslator): Batches {
  const chunks: Buffer[] = []
  let bytes = 0
  for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
    bytes += chunk.length
    if (bytes > MAX_LLM_FRAME) throw new TransportError('frame_too_large', true)
    chunks.push(chunk)
  }
  const text = new TextDecoder().decode(Buffer.concat(chunks))
  const batch = translator.translate([text])
  if (batch.length > 0) yield batch
  if (translator.error !== undefined || translator.settled || translator.done) return
  // One completion needs no reason for its end; of several lines the last may be missing.
  const whole = parseObject(text) !== undefined
  if (translator.spoke && whole) return
  if (translator.spoke) throw new ExecutionError('llm_disconnected', 'streaming', 'ended early')
  throw new ExecutionError('llm_protocol_error', 'headers', 'the JSON is no chat completion')
}

function factsOf({ finishReason, usage }: LlmTranslator): readonly BackendEvent[] {
  const out: BackendEvent[] = []
  if (finishReason !== undefined) out.push({ type: 'facts', data: { finishReason } })
  if (usage !== undefined) out.push({ type: 'usage', data: usage })
  return out
}
