import { Refused } from '../text/command-error.js'
import type { Say } from '../text/language.js'
import { printable } from '../text/table.js'
import type { Connection } from './connection.js'

export interface RefusalFacts {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly details: readonly string[]
  /** s, from the header of that name */
  readonly retryAfter: string | null
}

/** What the service said, its details, and what to do. */
export function refusalOf(facts: RefusalFacts, from: Pick<Connection, 'tokenFrom'>, t: Say): Refused {
  const { status, code, message, details } = facts
  const head = t(
    `The service refused (${status} ${code}): ${message}`,
    `服务拒绝了请求（${status} ${code}）：${message}`,
  )
  const hint = hintOf(facts, from, t)
  const lines = [head, ...details, ...(hint === undefined ? [] : [hint])]
  return new Refused(printable(lines.join('\n  ')), status, code)
}

function hintOf(
  { status, retryAfter }: RefusalFacts,
  { tokenFrom }: Pick<Connection, 'tokenFrom'>,
  t: Say,
): string | undefined {
  switch (status) {
    case 401:
      return t(
        `The token came from ${tokenFrom}. Get a new one: chat-cutover login, or in development chat-cutover token`,
        `所用令牌来自 ${tokenFrom}。请获取新令牌：chat-cutover login，开发环境可用 chat-cutover token`,
      )
    case 403:
      return t(
        `The token came from ${tokenFrom}, and its role is too low: commands for operators need CHAT_OPERATOR_ROLE, the metrics of another org need owner`,
        `所用令牌来自 ${tokenFrom}，其角色权限不足：运维命令需要 CHAT_OPERATOR_ROLE，查看其他组织的指标需要 owner`,
      )
    case 404:
      return t(
        'If the address and the id are right, the service may be older than this command',
        '若地址与编号无误，服务版本可能低于本命令',
      )
    case 412:
      return t(
        'Somebody edited the flag file meanwhile. Look at it (chat-cutover flags show), then run the command again',
        '期间有人修改了 flag 文件。请先查看（chat-cutover flags show），再重新执行本命令',
      )
    case 429:
    case 503:
      return retryAfter === null
        ? t('Try again in a moment', '请稍后重试')
        : t(`Try again in ${retryAfter} s`, `请在 ${retryAfter} 秒后重试`)
    default:
      return undefined
  }
}
