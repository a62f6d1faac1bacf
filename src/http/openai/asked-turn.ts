import type { z } from 'zod'
import { isBlank } from '../../core/text.js'
import type { HistoryMessage } from '../../execution/backend.js'
import {
  type ChatCompletionRequest,
  chatCompletionRequestSchema,
  type OpenAiEvents,
  type OpenAiMessage,
  openAiQuerySchema,
} from '../../protocol/openai.js'
import type { SingleTurn } from '../../turn/begin-turn.js'
import { describeIssue } from '../edge/guard.js'
import { Problem } from '../edge/problems.js'
import { refuseUnsupported, wrongField } from './unsupported.js'

/** What the request asks of a turn; who asks and where it belongs is known elsewhere. */
export type AskedTurn = Omit<SingleTurn, 'kind' | 'agentId' | 'bucket'>

/** @throws Problem 400 that names the first field at fault */
export function guardCompletion(body: unknown): ChatCompletionRequest {
  const request = parse(chatCompletionRequestSchema, body)
  refuseUnsupported(request)
  return request
}

/** What `?events=` says. @throws Problem 400 */
export function guardEvents(query: unknown): OpenAiEvents {
  return parse(openAiQuerySchema, query).events
}

/**
 * The turn that a request asks for: its last message is the user's, the others the history. System messages, wherever they stand,
 * make one system prompt, since many servers take it at the beginning alone.
 * @throws Problem 400 where the last message is not a user's, or is blank
 */
export function askedTurn(request: ChatCompletionRequest): AskedTurn {
  const { messages } = request
  const last = messages.at(-1)
  const place = messages.length - 1
  if (last?.role !== 'user') {
    throw wrongField(`messages[${place}].role`, {
      'zh-CN': '最后一条消息的角色必须是 user',
      en: 'must be user in the last message',
    })
  }
  const message = textOf(last)
  if (isBlank(message))
    throw wrongField(`messages[${place}].content`, { 'zh-CN': '不能为空', en: 'must not be empty' })
  const system = messages.filter(isSystem).map(textOf).filter(isVisible)
  return {
    message,
    history: messages.slice(0, -1).flatMap(historyMessage),
    ...(system.length === 0 ? {} : { systemPrompt: system.join('\n\n') }),
    parameters: parametersOf(request),
    directOnly: request.response_format != null && request.response_format.type !== 'text',
  }
}

const isVisible = (text: string): boolean => !isBlank(text)

function isSystem({ role }: OpenAiMessage): boolean {
  return role === 'system' || role === 'developer'
}

/** Some servers refuse a message without text. */
function historyMessage(message: OpenAiMessage): HistoryMessage[] {
  const { role } = message
  if (role !== 'user' && role !== 'assistant') return []
  const content = textOf(message)
  return isBlank(content) ? [] : [{ role, content }]
}

function textOf({ content }: OpenAiMessage): string {
  if (typeof content === 'string') return content
  return (content ?? []).map(({ text, refusal }) => text ?? refusal ?? '').join('')
}

/** What goes on to the LLM; ours by name, so that nothing unknown does. */
function parametersOf(request: ChatCompletionRequest): Readonly<Record<string, unknown>> {
  const parameters = {
    temperature: request.temperature,
    max_tokens: request.max_completion_tokens ?? request.max_tokens,
    top_p: request.top_p,
    presence_penalty: request.presence_penalty,
    frequency_penalty: request.frequency_penalty,
    seed: request.seed,
    stop: request.stop,
    logit_bias: request.logit_bias,
    reasoning_effort: request.reasoning_effort,
    verbosity: request.verbosity,
    response_format: request.response_format,
  }
  return Object.fromEntries(
    Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null),
  )
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { reportInput: true })
  if (parsed.success) return parsed.data
  const [first] = parsed.error.issues
  const param = first === undefined ? '' : placeOf(first.path)
  throw new Problem('body_fields', {
    details: parsed.error.issues.flatMap(describeIssue),
    ...(param === '' ? {} : { param }),
  })
}

/** `messages[0].content` */
function placeOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at === 0 ? '' : '.'}${String(part)}`))
    .join('')
}
