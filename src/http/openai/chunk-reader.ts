import type { Context } from 'koa'
import type { OpenAiEvents } from '../../protocol/openai.js'
import type { TurnReader } from '../../turn/turn-reader.js'
import { languageOf } from '../edge/language.js'
import { oneLine } from '../stream/message-json.js'
import { openSseChannel, type SseChannel } from '../stream/sse-channel.js'
import { answerEnd } from './answer-end.js'
import { AnswerParts } from './answer-parts.js'
import { type CompletionHead, chunkJson } from './completion-json.js'
import { type JsonAnswerOptions, openJsonAnswer } from './json-answer.js'

export interface ChunkReaderOptions extends JsonAnswerOptions {
  readonly head: CompletionHead
  readonly events: OpenAiEvents
  /** `stream_options.include_usage` */
  readonly withUsage: boolean
  /** ms between two comments that keep the connection alive */
  readonly heartbeatMs: number
}

/**
 * Answers `ctx` with the stream of one completion. Its head waits for the first chunk, at most the time of a heartbeat: until
 * then a failure is told by its status.
 */
export function openChunkReader(ctx: Context, options: ChunkReaderOptions): TurnReader {
  const { clock, heartbeatMs, slowReaderMs } = options
  const language = languageOf(ctx)
  const parts = new AnswerParts(options.events, language)
  const json = chunkJson(options.head, options.withUsage)
  const answer = openJsonAnswer(ctx, options)
  let channel: SseChannel | undefined
  let isBegun = false
  let isEnded = false
  let onRelief: () => void = () => undefined

  const open = (): SseChannel => {
    headTimer.cancel()
    if (channel !== undefined) return channel
    answer.handOver()
    const opened = openSseChannel(ctx, {
      headers: {},
      clock,
      heartbeatMs,
      heartbeat: 'comment',
      slowReaderMs,
      onReaderLost: options.onReaderLost,
      // A turn that lost its reader is given up in a moment.
      onRelief: () => {
        if (opened.open) onRelief()
      },
    })
    channel = opened
    return opened
  }
  const headTimer = clock.schedule(heartbeatMs, open)
  void answer.finished.then(() => headTimer.cancel())

  const begin = (): SseChannel => {
    const opened = open()
    if (!isBegun) opened.add({ data: json.role() })
    isBegun = true
    return opened
  }

  return {
    finished: answer.finished,
    onRelief(listener) {
      onRelief = listener
    },
    write(batch) {
      const shown = batch.flatMap((body) => parts.of(body) ?? [])
      if (shown.length === 0 || isEnded || channel?.open === false || ctx.res.destroyed) return true
      const opened = begin()
      for (const part of shown) opened.add({ data: json.part(part) })
      return opened.flush()
    },
    end(result) {
      if (isEnded) return
      isEnded = true
      headTimer.cancel()
      const end = answerEnd(result, language)
      if (end.kind === 'gone') {
        if (channel === undefined) answer.cut()
        else channel.cut()
      } else if (end.kind === 'answered') {
        const opened = begin()
        opened.add({ data: json.finish(end.reason) })
        if (options.withUsage) opened.add({ data: json.usage(end.usage) })
        opened.add({ data: '[DONE]' })
        opened.end()
      } else if (channel === undefined) answer.sendFailure(end.failure)
      else {
        // No finish reason and no [DONE]: the answer has not ended, it broke.
        channel.add({ data: oneLine(JSON.stringify(end.failure.body)) })
        channel.end()
      }
    },
  }
}
