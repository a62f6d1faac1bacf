import { randomUUID } from 'node:crypto'
import { errorCode, errorText } from '../../core/errors.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { CommandError, Interrupted } from '../text/command-error.js'
import { printable } from '../text/table.js'
import type { Finding } from './finding.js'
import { findingsText } from './findings-text.js'
import { probeUrl } from './probe-url.js'
import { type RuntimeTurn, runtimeTurn } from './runtime-turn.js'

export const runtimeCheckCommand: CommandSpec = {
  words: ['runtime-check'],
  section: 'check',
  summary: {
    en: 'what a runtime gets wrong, and how to mend it',
    'zh-CN': '检查 runtime 哪里不符合要求，并给出修正建议',
  },
  define: (command, t) =>
    void command.argument('<url>', t('of the runtime, like http://localhost:8000', 'runtime 地址')),
  examples: ['runtime-check http://localhost:8000', 'runtime-check http://localhost:8000 --json'],
  exits: {
    en: 'Exit code: 0 no faults (there may be warnings); 1 faults; 2 wrong usage; 130 ended by Ctrl-C.',
    'zh-CN':
      '退出码（Exit code: 0 / 1 / 2 / 130）：0 无错误（可能有警告）；1 有错误；2 用法错误；130 被 Ctrl-C 中断。',
  },
  remote: false,
  async run(invocation) {
    const { given, t, json, print, printJson } = invocation
    const url = baseUrl(given.words[0] ?? '', t)
    const findings = await checkRuntime(url, invocation)
    if (invocation.interrupted().aborted) throw new Interrupted()
    const faults = findings.filter(({ result }) => result === 'fault').length
    if (json) printJson({ ok: faults === 0, faults, findings })
    else print(findingsText(findings, invocation))
    return faults === 0 ? 0 : 1
  },
}

function baseUrl(text: string, t: Invocation['t']): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href.replace(/\/+$/, '')
  throw new CommandError(
    t(
      `"${text}" is no http address; give one like http://localhost:8000`,
      `"${text}" 不是 http 地址，请使用如 http://localhost:8000 的地址`,
    ),
    2,
  )
}

async function checkRuntime(url: string, invocation: Invocation): Promise<Finding[]> {
  const { t } = invocation
  const interrupted = invocation.interrupted()
  const health = await checkHealth(url, invocation)
  const plain = await runtimeTurn(url, { message: 'Say hello.' }, interrupted)
  const turn = turnFinding(plain, t)
  // Without an answer the rest says nothing.
  if (plain.kind === 'failed' || plain.status !== 200) return [health, turn]
  const { first, second } = QUESTIONS
  const remembered = await runtimeTurn(
    url,
    { message: second.question, history: [user(first.question), assistant(first.answer)] },
    interrupted,
  )
  const shadow = await runtimeTurn(url, { message: 'Say hello.', shadow: true }, interrupted)
  return [
    health,
    turn,
    historyFinding(remembered, second.answer, t),
    fenceFinding(shadow, t),
    await checkBadBody(url, invocation),
    await checkCancel(url, invocation),
  ]
}

const user = (content: string) => ({ role: 'user' as const, content })
const assistant = (content: string) => ({ role: 'assistant' as const, content })

/** Words that no runtime says by chance. */
const QUESTIONS = {
  first: { question: 'Answer with the word QUINCE alone.', answer: 'QUINCE' },
  second: { question: 'Answer with the word MEDLAR alone.', answer: 'MEDLAR' },
}

async function checkHealth(url: string, invocation: Invocation): Promise<Finding> {
  const { t, clock } = invocation
  const check = 'GET /health'
  const health = await probeUrl(`${url}/health`, {
    interrupted: invocation.interrupted(),
    now: () => clock.wall(),
  })
  if (health.kind === 'answer' && health.status === 200 && isHealthy(health.body))
    return { check, result: 'ok', text: t('healthy', '健康') }
  return {
    check,
    result: 'fault',
    text: printable(health.kind === 'failed' ? health.why : `${health.status} ${health.body.slice(0, 200)}`),
    advice: t(
      'Answer 200 with {"status":"healthy"}; anything else makes the service fall back',
      '应返回 200 与 {"status":"healthy"}；否则服务会回退',
    ),
  }
}

function isHealthy(body: string): boolean {
  try {
    const told: unknown = JSON.parse(body)
    return typeof told === 'object' && told !== null && 'status' in told && told.status === 'healthy'
  } catch {
    return false
  }
}

function turnFinding(turn: RuntimeTurn, t: Invocation['t']): Finding {
  const check = t('a turn', '一轮对话')
  const fault = (text: string, advice: string): Finding => ({
    check,
    result: 'fault',
    text: printable(text),
    advice,
  })
  if (turn.kind === 'failed')
    return fault(turn.why, t('Is it running, and is the address right?', '请确认 runtime 已启动且地址正确'))
  if (turn.status !== 200)
    return fault(
      t(
        `POST /api/v1/execute/stream answers ${turn.status}`,
        `POST /api/v1/execute/stream 返回 ${turn.status}`,
      ),
      t('Answer 200 with an SSE stream; its log may say why', '应返回 200 与 SSE 流；请查看 runtime 日志'),
    )
  if (turn.error !== undefined)
    return fault(`execution_error: ${turn.error}`, t('Its log says why', '请查看 runtime 日志'))
  if (!turn.contentType.startsWith('text/event-stream'))
    return fault(
      t(`the content type is "${turn.contentType}"`, `Content-Type 为 "${turn.contentType}"`),
      t('Send text/event-stream', '应为 text/event-stream'),
    )
  if (turn.unreadable > 0)
    return fault(
      t(`${turn.unreadable} frames cannot be read`, `${turn.unreadable} 个帧无法解析`),
      t(
        'Each frame is data: {"event": …, "data": {…}} in strict JSON',
        '每帧应为 data: {"event": …, "data": {…}}，且是严格的 JSON',
      ),
    )
  if (turn.text.trim() === '')
    return fault(
      t('there is no text in the answer', '回答中没有文本'),
      t(
        'Send text_chunk events, or final_response in execution_complete',
        '应发送 text_chunk，或在 execution_complete 中给出 final_response',
      ),
    )
  const complete = turn.events.includes('execution_complete')
  if (!complete && !turn.done)
    return fault(
      t(
        'the stream ends with neither execution_complete nor [DONE]',
        '流结束时没有 execution_complete，也没有 [DONE]',
      ),
      t('Without one of them the service takes the answer for broken off', '否则服务会认为回答中断'),
    )
  return { check, result: 'ok', text: turn.events.join(', ').slice(0, 200) }
}

function historyFinding(turn: RuntimeTurn, wanted: string, t: Invocation['t']): Finding {
  const check = t('the second turn', '第二轮对话')
  if (turn.kind === 'answer' && turn.text.includes(wanted))
    return { check, result: 'ok', text: t('answers the present question', '回答的是当前问题') }
  return {
    check,
    result: 'warning',
    text: printable(turn.kind === 'failed' ? turn.why : turn.text.slice(0, 200)),
    advice: t(
      `The history ends with the present message; the answer should have had the word ${wanted}. Was another question answered?`,
      `历史以当前消息结尾，回答应包含 ${wanted}；是否回答了别的问题？`,
    ),
  }
}

function fenceFinding(turn: RuntimeTurn, t: Invocation['t']): Finding {
  const check = t('the fence of shadows', '影子隔离')
  if (turn.kind === 'answer' && turn.fence === 'honoured')
    return { check, result: 'ok', text: 'X-Chat-Shadow: honoured' }
  return {
    check,
    result: 'warning',
    text: t(
      'a shadow (X-Chat-Shadow: 1, metadata.shadow) is not answered with X-Chat-Shadow: honoured',
      '影子请求（X-Chat-Shadow: 1，metadata.shadow）的响应没有 X-Chat-Shadow: honoured',
    ),
    advice: t(
      'Run no tool that changes anything for such a turn, and say so by the header; until then its shadows run its tools. CHAT_SHADOW_REQUIRE_FENCE=true holds them back',
      '此类对话不应执行会改变外部状态的工具，并以该响应头声明；否则影子会真正执行工具。可设 CHAT_SHADOW_REQUIRE_FENCE=true 停用影子',
    ),
  }
}

async function checkBadBody(url: string, invocation: Invocation): Promise<Finding> {
  const { t } = invocation
  const check = t('a bad body', '错误的请求体')
  const status = await post(`${url}/api/v1/execute/stream`, {}, invocation.interrupted())
  if (typeof status === 'number' && status >= 400 && status < 500)
    return { check, result: 'ok', text: String(status) }
  return {
    check,
    result: 'warning',
    text: printable(String(status)),
    advice: t(
      'Answer 422 with {"detail": …}: anything else counts as a failure of the runtime',
      '应返回 422 与 {"detail": …}；否则会计为 runtime 故障',
    ),
  }
}

async function checkCancel(url: string, invocation: Invocation): Promise<Finding> {
  const { t } = invocation
  const check = t('cancel', '取消')
  const body = { session_id: randomUUID() }
  const status = await post(`${url}/api/v1/execute/cancel`, body, invocation.interrupted())
  if (status === 200) return { check, result: 'ok', text: '200' }
  return {
    check,
    result: 'warning',
    text: printable(String(status)),
    advice: t(
      'Answer 200 with {"cancelled": false} for a session that does not run; without a cancel its work goes on when users leave',
      '对未运行的会话应返回 200 与 {"cancelled": false}；没有取消，用户离开后任务仍会继续',
    ),
  }
}

/** ms */
const POST_DEADLINE_MS = 10_000

/** The status, or why there is none. */
async function post(url: string, body: object, interrupted: AbortSignal): Promise<number | string> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.any([interrupted, AbortSignal.timeout(POST_DEADLINE_MS)]),
    })
    await response.body?.cancel()
    return response.status
  } catch (thrown) {
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
    return errorCode(cause) ?? errorText(cause)
  }
}
