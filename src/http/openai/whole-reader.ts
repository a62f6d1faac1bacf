import type { Context } from 'koa'
import type { OpenAiEvents } from '../../protocol/openai.js'
import type { TurnReader } from '../../turn/turn-reader.js'
import { languageOf } from '../edge/language.js'
import { answerEnd } from './answer-end.js'
import { AnswerParts } from './answer-parts.js'
import { type CompletionHead, completion } from './completion-json.js'
import { type JsonAnswerOptions, openJsonAnswer } from './json-answer.js'

/** UTF-16 code units of an answer, its reasoning included: far above any model's output, it only bounds memory. */
const MOST = 4_194_304

export interface WholeReaderOptions extends JsonAnswerOptions {
  readonly head: CompletionHead
  readonly events: OpenAiEvents
}

/** Answers `ctx` with the whole answer once it is there. */
export function openWholeReader(ctx: Context, options: WholeReaderOptions): TurnReader {
  const language = languageOf(ctx)
  const parts = new AnswerParts(options.events, language)
  const answer = openJsonAnswer(ctx, options)
  const text = { content: '', reasoning_content: '' }
  let isCut = false

  return {
    finished: answer.finished,
    // Memory takes all of it.
    onRelief: () => undefined,
    write(batch) {
      for (const body of batch) {
        const part = parts.of(body)
        if (part === undefined || isCut) continue
        isCut = text.content.length + text.reasoning_content.length + part.text.length > MOST
        if (!isCut) text[part.field] += part.text
      }
      return true
    },
    end(result) {
      const end = answerEnd(result, language)
      if (end.kind === 'gone') answer.cut()
      else if (end.kind === 'failed') answer.sendFailure(end.failure)
      else {
        const whole = { content: text.content, reasoning: text.reasoning_content }
        const reason = isCut ? 'length' : end.reason
        answer.send(200, {}, completion(options.head, whole, reason, end.usage))
      }
    },
  }
}
