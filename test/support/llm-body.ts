import type { BackendEvent } from '../../src/execution/backend.js'
import { ExecutionError } from '../../src/execution/execution-error.js'
import { LlmAnswer } from '../../src/execution/llm-answer.js'
import type { LlmTranslatorOptions } from '../../src/execution/llm-events.js'
import { TransportError } from '../../src/execution/transport-error.js'
import { transportFailure } from '../../src/execution/upstream-failure.js'
import type { UpstreamResponse } from '../../src/execution/upstream-response.js'
import { manualClock } from './manual-clock.js'

export interface Head {
  readonly contentType?: string
  readonly contentEncoding?: string
}

/** What reading an answer comes to; neighbours of one kind joined, so that cuts in the network do not show. */
export interface ReadAnswer {
  readonly text: string
  readonly thinking: string
  readonly finishReason?: string
  readonly tokens?: number
  readonly code?: string
  readonly upstreamCode?: string
  readonly rejected?: true
}

/** A response of these reads; undefined in it breaks the connection there, in place of an end. */
export function responseOf(reads: readonly (Buffer | undefined)[], head: Head = {}): UpstreamResponse {
  const left = [...reads]
  const response = {
    status: 200,
    contentType: head.contentType ?? 'text/event-stream',
    contentEncoding: head.contentEncoding ?? '',
    async read(): Promise<Buffer | undefined> {
      if (left.length === 0) return undefined
      const next = left.shift()
      if (next === undefined) throw new TransportError('broken', true)
      return next
    },
  }
  return response as unknown as UpstreamResponse
}

export async function readAnswer(
  reads: readonly (Buffer | undefined)[],
  head: Head = {},
  options: LlmTranslatorOptions = {},
): Promise<ReadAnswer> {
  const seen: BackendEvent[] = []
  let error: ExecutionError | undefined
  try {
    const answer = new LlmAnswer(responseOf(reads, head), { onComplete() {} }, manualClock(), options)
    for (let batch = await answer.next(); batch !== undefined; batch = await answer.next())
      seen.push(...batch)
  } catch (thrown) {
    const failure = transportFailure('llm', thrown)
    if (!(failure instanceof ExecutionError)) throw thrown
    error = failure
  }
  return summary(seen, error)
}

function summary(seen: readonly BackendEvent[], error: ExecutionError | undefined): ReadAnswer {
  const joined = (type: 'text' | 'thinking'): string =>
    seen.map((event) => (event.type === type ? event.data.content : '')).join('')
  const facts = seen.find((event) => event.type === 'facts')
  const usage = seen.find((event) => event.type === 'usage')
  const { upstreamCode, rejected } = error?.details ?? {}
  return {
    text: joined('text'),
    thinking: joined('thinking'),
    ...(facts?.data.finishReason === undefined ? {} : { finishReason: facts.data.finishReason }),
    ...(usage === undefined ? {} : { tokens: usage.data.tokens }),
    ...(error === undefined ? {} : { code: error.code }),
    ...(upstreamCode === undefined ? {} : { upstreamCode }),
    ...(rejected === undefined ? {} : { rejected }),
  }
}
