import type { Usage } from '../../execution/backend.js'
import type { FinishReason } from '../../protocol/events.js'
import type {
  ChatCompletion,
  ChatCompletionChunk,
  CompletionUsage,
  OpenAiFinishReason,
} from '../../protocol/openai.js'
import { oneLine } from '../stream/message-json.js'
import type { AnswerPart } from './answer-parts.js'

/** What every piece of one answer says. */
export interface CompletionHead {
  readonly id: string
  /** seconds since the epoch */
  readonly created: number
  readonly model: string
}

/** The data of the events of one stream, as JSON in one line each. */
export interface ChunkJson {
  /** the first: who speaks */
  role(): string
  part(part: AnswerPart): string
  finish(reason: OpenAiFinishReason): string
  usage(usage: CompletionUsage): string
}

/** @param withUsage the client asked for the usage: every chunk but the last says that it is not there yet */
export function chunkJson({ id, created, model }: CompletionHead, withUsage: boolean): ChunkJson {
  const head = JSON.stringify({ id, object: 'chat.completion.chunk', created, model }).slice(0, -1)
  const tail = `${withUsage ? ',"usage":null' : ''}}`
  const chunk = (delta: string, reason: OpenAiFinishReason | null): string =>
    `${head},"choices":[{"index":0,"delta":${delta},"logprobs":null,"finish_reason":${JSON.stringify(reason)}}]${tail}`
  return {
    role: () => oneLine(chunk('{"role":"assistant","content":""}', null)),
    part: ({ field, text }) => oneLine(chunk(`{"${field}":${JSON.stringify(text)}}`, null)),
    finish: (reason) => oneLine(chunk('{}', reason)),
    usage: (usage) => {
      const last: ChatCompletionChunk = {
        id,
        object: 'chat.completion.chunk',
        created,
        model,
        choices: [],
        usage,
      }
      return oneLine(JSON.stringify(last))
    },
  }
}

/** The whole answer. */
export function completion(
  { id, created, model }: CompletionHead,
  answer: { readonly content: string; readonly reasoning: string },
  reason: OpenAiFinishReason,
  usage: CompletionUsage,
): ChatCompletion {
  const { content, reasoning } = answer
  const message = {
    role: 'assistant',
    content,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
    refusal: null,
  } as const
  const choice = { index: 0, message, logprobs: null, finish_reason: reason } as const
  return { id, object: 'chat.completion', created, model, choices: [choice], usage }
}

/** A refusal is an answer, and ends so at OpenAI too; tool calls are none of the client's, who could offer no tool. */
export function finishReasonOf(reason: FinishReason | undefined): OpenAiFinishReason {
  switch (reason) {
    case 'length':
      return 'length'
    case 'content_filter':
      return 'content_filter'
    default:
      return 'stop'
  }
}

export function usageOf({ tokens, estimated, promptTokens, completionTokens }: Usage): CompletionUsage {
  const completionPart = completionTokens ?? Math.max(0, tokens - (promptTokens ?? tokens))
  const promptPart = promptTokens ?? tokens - completionPart
  const isGuess = estimated || promptTokens === undefined
  return {
    prompt_tokens: promptPart,
    completion_tokens: completionPart,
    total_tokens: tokens,
    ...(isGuess ? { estimated: true as const } : {}),
  }
}
