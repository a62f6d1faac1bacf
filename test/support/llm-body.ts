import type { BackendEvent, ChatBackend } from '../../src/execution/backend.js'
import type { ExecutionError } from '../../src/execution/execution-error.js'
import { type AnswerBody, LlmAnswer } from '../../src/execution/openai/llm-answer.js'
import type { LlmTranslatorOptions } from '../../src/execution/openai/llm-events.js'
import { TransportError } from '../../src/execution/transport-error.js'
import type { ByteSink } from '../../src/execution/upstream/byte-source.js'
import { transportFailure } from '../../src/execution/upstream/upstream-failure.js'
import { executed } from './executed.js'
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
export function responseOf(reads: readonly (Buffer | undefined)[], head: Head = {}): AnswerBody {
  let isOpen = true
  let resume: (() => void) | undefined
  let paused: Promise<void> | undefined
  const push = async (sink: ByteSink): Promise<void> => {
    for (const read of reads) {
      await (paused ?? Promise.resolve())
      if (!isOpen) return
      if (read === undefined) return sink.end(new TransportError('broken', true))
      sink.data(read)
    }
    await (paused ?? Promise.resolve())
    if (isOpen) sink.end()
  }
  return {
    contentType: head.contentType ?? 'text/event-stream',
    contentEncoding: head.contentEncoding ?? '',
    listen: (sink) => void push(sink),
    pause() {
      paused ??= new Promise((resolve) => (resume = resolve))
    },
    resume() {
      paused = undefined
      resume?.()
    },
    close() {
      isOpen = false
    },
  }
}

/** The answer that these reads are, as a backend that sends it. */
export function answering(
  reads: readonly (Buffer | undefined)[],
  head: Head = {},
  options: LlmTranslatorOptions = {},
): ChatBackend {
  return {
    mode: 'direct_llm',
    execute(_turn, call, sink) {
      const answer = new LlmAnswer(responseOf(reads, head), call, manualClock(), options, {
        batch: (events) => sink.batch(events),
        end: (failure) => sink.end(transportFailure('llm', failure)),
      })
      answer.start()
      return answer
    },
  }
}

export async function readAnswer(
  reads: readonly (Buffer | undefined)[],
  head: Head = {},
  options: LlmTranslatorOptions = {},
): Promise<ReadAnswer> {
  const { events, error } = await executed(answering(reads, head, options))
  return summary(events, error)
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
