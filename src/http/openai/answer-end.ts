import { unreachable } from '../../core/errors.js'
import type { TurnResult } from '../../execution/turn-result.js'
import type { CompletionUsage, OpenAiFinishReason } from '../../protocol/openai.js'
import type { Language } from '../edge/language.js'
import { finishReasonOf, usageOf } from './completion-json.js'
import { type FailedTurn, failedTurn, interruptedTurn } from './failed-turn.js'

/** How the answer to an OpenAI client ends; `gone`: nobody is left to be told. */
export type AnswerEnd =
  | { readonly kind: 'answered'; readonly reason: OpenAiFinishReason; readonly usage: CompletionUsage }
  | { readonly kind: 'failed'; readonly failure: FailedTurn }
  | { readonly kind: 'gone' }

export function answerEnd(result: TurnResult, language: Language): AnswerEnd {
  switch (result.kind) {
    case 'answered':
      return answered(result)
    case 'failed':
      return { kind: 'failed', failure: failedTurn(result, language) }
    case 'aborted':
      return abortedEnd(result, language)
    default:
      return unreachable(result)
  }
}

function abortedEnd(result: Extract<TurnResult, { kind: 'aborted' }>, language: Language): AnswerEnd {
  switch (result.code) {
    case 'stopped':
      return answered(result)
    case 'shutting_down':
    case 'superseded':
      return { kind: 'failed', failure: interruptedTurn(result.code, language) }
    case 'client_gone':
    case 'client_too_slow':
      return { kind: 'gone' }
    default:
      return unreachable(result.code)
  }
}

function answered({ facts, usage }: Exclude<TurnResult, { kind: 'failed' }>): AnswerEnd {
  return { kind: 'answered', reason: finishReasonOf(facts?.finishReason), usage: usageOf(usage) }
}
