import type { TurnResult } from '../../execution/turn-result.js'
import type { StreamErrorCode } from '../../protocol/events.js'
import type { OpenAiError } from '../../protocol/openai.js'
import { STREAM_FAILURES } from '../chat/stream-sentences.js'
import type { Language, Sentence } from '../edge/language.js'
import { openAiError } from './openai-error.js'

/** A turn without an answer, as the client is told it. */
export interface FailedTurn {
  /** where nothing was sent yet; in a stream that has begun, the body is its last event */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: OpenAiError
}

const REFUSED: Sentence = {
  'zh-CN': 'AI 服务不接受该值，请修改或去掉',
  en: 'the AI service does not take this value, change it or leave it out',
}

type Failed = Extract<TurnResult, { kind: 'failed' }>

/** s after which a client may come back: a rolling restart takes some, a place comes free sooner */
const RETRY_AFTER: Partial<Record<StreamErrorCode, number>> = { shutting_down: 5, llm_overloaded: 1 }

/** OpenAI's and Azure's own codes, by which clients know what to do. */
const OPENAI_CODES: Partial<Record<StreamErrorCode, string>> = {
  llm_context_too_long: 'context_length_exceeded',
  llm_content_filtered: 'content_filter',
}

export function failedTurn(result: Failed, language: Language): FailedTurn {
  const { code, details } = result
  // What was refused for what the client sent is not mended by sending it again.
  const status = details.rejected === true && code !== 'llm_overloaded' ? 400 : statusOf(code)
  return told(code, status, language, details.rejected === true ? details.refusedParameter : undefined)
}

/** The turn was ended by us. */
export function interruptedTurn(code: 'shutting_down' | 'superseded', language: Language): FailedTurn {
  return told(code, 503, language)
}

/** As a client is told it of which nothing was refused. */
export const failureByCode = (code: StreamErrorCode, language: Language): FailedTurn =>
  told(code, statusOf(code), language)

function told(code: StreamErrorCode, status: number, language: Language, param?: string): FailedTurn {
  const seconds = RETRY_AFTER[code]
  const message = param === undefined ? STREAM_FAILURES[code][language] : `${param}: ${REFUSED[language]}`
  return {
    status,
    headers: seconds === undefined ? {} : { 'Retry-After': String(seconds) },
    body: openAiError(status, message, OPENAI_CODES[code] ?? code, param),
  }
}

function statusOf(code: StreamErrorCode): number {
  switch (code) {
    case 'llm_content_filtered':
    case 'llm_context_too_long':
      return 400
    case 'internal_error':
      return 500
    case 'llm_overloaded':
    case 'llm_rate_limited':
    case 'runtime_rate_limited':
    case 'runtime_unavailable':
    case 'shutting_down':
    case 'superseded':
      return 503
    case 'connect_timeout':
    case 'headers_timeout':
    case 'first_content_timeout':
    case 'gap_timeout':
    case 'total_timeout':
    case 'llm_timeout':
    case 'runtime_timeout':
      return 504
    default:
      return 502
  }
}
