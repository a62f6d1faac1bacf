import type { ChatCompletionRequest, OpenAiMessage } from '../../protocol/openai.js'
import type { Sentence } from '../edge/language.js'
import { Problem } from '../edge/problems.js'

/** Refuses what would be answered otherwise than it is meant. @throws Problem 400 that names the field */
export function refuseUnsupported(request: ChatCompletionRequest): void {
  for (const { param, asks, why } of UNSUPPORTED) {
    if (asks(request)) throw unsupported(param, why)
  }
  request.messages.forEach(refuseInMessage)
}

interface Unsupported {
  readonly param: keyof ChatCompletionRequest
  asks(request: ChatCompletionRequest): boolean
  readonly why: Sentence
}

const tools: Sentence = {
  'zh-CN': '不支持由客户端执行的工具，请去掉该字段；工具由 runtime 自行调用',
  en: 'tools that the client runs are not supported, leave it out; the runtime calls its own tools',
}
const leaveOut: Sentence = { 'zh-CN': '不支持，请去掉该字段', en: 'is not supported, leave it out' }

const UNSUPPORTED: readonly Unsupported[] = [
  { param: 'tools', asks: ({ tools: list }) => isFilled(list), why: tools },
  { param: 'functions', asks: ({ functions }) => isFilled(functions), why: tools },
  {
    param: 'n',
    asks: ({ n }) => typeof n === 'number' && n !== 1,
    why: { 'zh-CN': '仅支持 1', en: 'must be 1' },
  },
  { param: 'logprobs', asks: ({ logprobs }) => logprobs === true, why: leaveOut },
  { param: 'top_logprobs', asks: ({ top_logprobs: top }) => (top ?? 0) > 0, why: leaveOut },
  {
    param: 'modalities',
    asks: ({ modalities }) => modalities?.some((modality) => modality !== 'text') === true,
    why: { 'zh-CN': '仅支持 text', en: 'may be text alone' },
  },
  { param: 'audio', asks: ({ audio }) => audio !== undefined && audio !== null, why: leaveOut },
  {
    param: 'web_search_options',
    asks: ({ web_search_options: options }) => options !== undefined && options !== null,
    why: leaveOut,
  },
]

function refuseInMessage(message: OpenAiMessage, at: number): void {
  const { role, content } = message
  if (role === 'tool' || role === 'function') throw unsupported(`messages[${at}].role`, tools)
  if (isFilled(message.tool_calls)) throw unsupported(`messages[${at}].tool_calls`, tools)
  if (message.function_call !== undefined && message.function_call !== null)
    throw unsupported(`messages[${at}].function_call`, tools)
  if (!Array.isArray(content)) return
  content.forEach(({ type }, part) => {
    if (type === 'text' || type === 'refusal') return
    throw unsupported(`messages[${at}].content[${part}].type`, {
      'zh-CN': '仅支持文本内容（text），不支持图片、音频和文件',
      en: 'may be text alone; images, audio and files are not supported',
    })
  })
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0
}

/** A field that asks for what there is not. */
function unsupported(param: string, why: Sentence): Problem {
  return new Problem('body_unsupported', { details: [lineOf(param, why)], param })
}

/** A field with a value that it cannot have. */
export function wrongField(param: string, why: Sentence): Problem {
  return new Problem('body_fields', { details: [lineOf(param, why)], param })
}

function lineOf(param: string, why: Sentence): Sentence {
  return { 'zh-CN': `${param}: ${why['zh-CN']}`, en: `${param}: ${why.en}` }
}
