import type { StreamErrorCode } from '../../protocol/events.js'
import type { Sentence } from '../edge/language.js'

interface Failure extends Sentence {
  /** sending the same message again may work */
  readonly recoverable: boolean
}

const failure = (recoverable: boolean, zh: string, en: string): Failure => ({ recoverable, 'zh-CN': zh, en })

const unreachable = failure(
  true,
  'AI 服务暂时无法连接，请稍后重试',
  'The AI service cannot be reached right now. Try again in a moment',
)
const disconnected = failure(
  true,
  '与 AI 服务的连接中断，回答不完整，请重试',
  'The connection to the AI service broke and the answer is incomplete. Try again',
)
const refused = failure(
  false,
  'AI 服务无法处理该消息，请修改消息或开始新的会话；如持续出现，请联系管理员',
  'The AI service cannot take this message. Change it or start a new session; if it stays, tell an administrator',
)
const unauthorized = failure(
  false,
  'AI 服务拒绝了本服务的凭证，请联系管理员',
  'The AI service refused our credentials. Tell an administrator',
)
const busy = failure(
  true,
  'AI 服务当前繁忙，请稍等片刻再重试',
  'The AI service is busy. Wait a moment and try again',
)
const faulty = failure(
  true,
  'AI 服务出现错误，请稍后重试',
  'The AI service reported an error. Try again in a moment',
)
const garbled = failure(
  true,
  'AI 服务返回了无法识别的内容，请重试；如持续出现，请联系管理员',
  'The AI service answered with something we cannot read. Try again; if it stays, tell an administrator',
)
const slow = failure(
  true,
  'AI 服务响应超时，请稍后重试',
  'The AI service took too long. Try again in a moment',
)

/** What the `error` event tells the user for each code: what happened and what helps, nothing of the inside. */
export const STREAM_FAILURES: Readonly<Record<StreamErrorCode, Failure>> = {
  connect_timeout: unreachable,
  headers_timeout: slow,
  first_content_timeout: slow,
  gap_timeout: failure(
    true,
    'AI 服务长时间没有继续输出，回答不完整，请重试',
    'The AI service stopped in mid-answer. The answer is incomplete, try again',
  ),
  total_timeout: failure(
    true,
    '回答用时超过上限，已终止，请缩小问题范围后重试',
    'The answer took longer than allowed and was ended. Ask for less and try again',
  ),
  empty_answer: failure(true, 'AI 服务没有给出回答，请重试', 'The AI service gave no answer. Try again'),
  runtime_unreachable: unreachable,
  runtime_unavailable: failure(
    true,
    'AI 服务当前不可用，请稍后重试',
    'The AI service is unavailable right now. Try again in a moment',
  ),
  runtime_disconnected: disconnected,
  runtime_bad_request: refused,
  runtime_unauthorized: unauthorized,
  runtime_rate_limited: busy,
  runtime_http_error: faulty,
  runtime_error: faulty,
  runtime_timeout: slow,
  runtime_cancelled: failure(
    true,
    'AI 服务取消了本次回答，请重试',
    'The AI service cancelled this answer. Try again',
  ),
  runtime_protocol_error: garbled,
  runtime_frame_too_large: garbled,
  runtime_soft_failure: faulty,
  llm_unreachable: unreachable,
  llm_disconnected: disconnected,
  llm_bad_request: refused,
  llm_unauthorized: unauthorized,
  llm_rate_limited: busy,
  llm_http_error: faulty,
  llm_error: faulty,
  llm_timeout: slow,
  llm_protocol_error: garbled,
  llm_frame_too_large: garbled,
  llm_content_filtered: failure(
    false,
    '该消息或其回答被 AI 服务的内容过滤拦截，请修改消息后再发送',
    "The AI service's content filter blocked this message or its answer. Change the message and send it again",
  ),
  llm_context_too_long: failure(
    false,
    '对话过长，超出了 AI 服务的处理上限，请缩短消息或开始新的会话',
    'The conversation is too long for the AI service. Shorten the message or start a new session',
  ),
  llm_overloaded: failure(
    true,
    'AI 服务当前请求过多，请稍后重试',
    'The AI service has too many requests right now. Try again in a moment',
  ),
  internal_error: failure(
    true,
    '服务内部错误，请重试；如持续出现，请将 X-Request-ID 提供给管理员',
    'Something went wrong on our side. Try again; if it stays, tell an administrator the X-Request-ID',
  ),
  shutting_down: failure(
    true,
    '服务正在重启，回答已中断，请稍后重试',
    'The service is restarting and the answer was interrupted. Try again in a moment',
  ),
  interrupted: failure(
    true,
    '该回答在完成前被中断，仅保留了已生成的部分，请重新发送',
    'The answer was interrupted before its end, and only a part of it was kept. Send the message again',
  ),
  superseded: failure(
    true,
    '该会话已由另一个请求接管，请刷新后重试',
    'Another request took this session over. Reload it and try again',
  ),
}
