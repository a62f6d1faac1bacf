import { randomUUID } from 'node:crypto'
import { errorCode, errorText } from '../../core/errors.js'
import { withoutLogin } from '../../core/net/login-of-url.js'
import type { Invocation } from '../command/invocation.js'
import type { Finding } from '../doctor/finding.js'
import { printable } from '../text/table.js'
import { runtimeTurn } from './runtime-turn.js'

/** ms */
const POST_DEADLINE_MS = 10_000
/** characters of an answer that are read */
const MAX_BODY = 10_000

type Answer = { readonly status: number; readonly body: string } | { readonly why: string }

/** A body that lacks its message, and one that is no JSON: both are the caller's mistake, and no failure of the runtime. */
export async function checkBadBody(url: string, invocation: Invocation): Promise<Finding> {
  const { t } = invocation
  const check = t('a bad body', '错误的请求体')
  const target = `${url}/api/v1/execute/stream`
  const lacking = await post(target, JSON.stringify({ session_id: randomUUID() }), invocation)
  const broken = await post(target, '{"session_id": ', invocation)
  const wrong = [lacking, broken].find((answer) => !('status' in answer) || !isClientsFault(answer.status))
  if (wrong === undefined) return { check, result: 'ok', text: [lacking, broken].map(statusOf).join(', ') }
  return {
    check,
    result: 'warning',
    text: printable(statusOf(wrong)),
    advice: t(
      'Answer 422 with {"detail": …}: anything else counts as a failure of the runtime',
      '应返回 422 与 {"detail": …}；否则会计为 runtime 故障',
    ),
  }
}

const isClientsFault = (status: number): boolean => status >= 400 && status < 500

/** Of a session that does not run. */
export async function checkCancel(url: string, invocation: Invocation): Promise<Finding> {
  const { t } = invocation
  const check = t('cancel', '取消')
  const answer = await cancel(url, randomUUID(), invocation)
  if ('status' in answer && answer.status === 200 && cancelledOf(answer.body) === false)
    return { check, result: 'ok', text: '200' }
  return {
    check,
    result: 'warning',
    text: printable('status' in answer ? `${answer.status} ${answer.body.slice(0, 200)}` : answer.why),
    advice: t(
      'Answer 200 with {"cancelled": false} for a session that does not run; without a cancel its work goes on when users leave',
      '对未运行的会话应返回 200 与 {"cancelled": false}；没有取消，用户离开后任务仍会继续',
    ),
  }
}

/** A turn that is cancelled when its first event is there. */
export async function checkRunningCancel(url: string, invocation: Invocation): Promise<Finding> {
  const { t, clock } = invocation
  const check = t('cancel of a running turn', '取消运行中的对话')
  const sessionId = randomUUID()
  let cancelling: Promise<Answer> | undefined
  let cancelledAt = 0
  const turn = await runtimeTurn(
    url,
    {
      message: 'Count from one to one hundred, in words.',
      sessionId,
      onFirstEvent() {
        cancelledAt = clock.monotonic()
        cancelling = cancel(url, sessionId, invocation)
      },
    },
    { interrupted: invocation.interrupted(), now: () => clock.monotonic() },
  )
  const endedMs = Math.round(clock.monotonic() - cancelledAt)
  const answer = await cancelling
  if (turn.kind === 'failed' || answer === undefined)
    return {
      check,
      result: 'skipped',
      text: printable(turn.kind === 'failed' ? turn.why : t('no event came', '没有事件')),
    }
  const cancelled = 'status' in answer ? cancelledOf(answer.body) : undefined
  const isComplete = turn.events.some(({ event }) => event === 'execution_complete')
  if (cancelled === true && !isComplete)
    return { check, result: 'ok', text: t(`ends after ${endedMs} ms`, `${endedMs} 毫秒后结束`) }
  if (cancelled === false && isComplete)
    return {
      check,
      result: 'skipped',
      text: t('the turn was over before the cancel came', '取消到达前对话已结束'),
    }
  return {
    check,
    result: 'warning',
    text: printable(
      isComplete && cancelled === true
        ? t('the turn went on to its end', '对话仍运行到结束')
        : statusOf(answer),
    ),
    advice: t(
      'POST /api/v1/execute/cancel {"session_id"} must end the newest execution of that session, answer {"cancelled": true}, and let the stream end with execution_error EXECUTION_CANCELLED',
      'POST /api/v1/execute/cancel {"session_id"} 应终止该会话最新的执行，返回 {"cancelled": true}，并以 execution_error EXECUTION_CANCELLED 结束流',
    ),
  }
}

const cancel = (url: string, sessionId: string, invocation: Invocation): Promise<Answer> =>
  post(`${url}/api/v1/execute/cancel`, JSON.stringify({ session_id: sessionId }), invocation)

function cancelledOf(body: string): boolean | undefined {
  try {
    const told: unknown = JSON.parse(body)
    const cancelled =
      typeof told === 'object' && told !== null && 'cancelled' in told ? told.cancelled : undefined
    return typeof cancelled === 'boolean' ? cancelled : undefined
  } catch {
    return undefined
  }
}

const statusOf = (answer: Answer): string => ('status' in answer ? String(answer.status) : answer.why)

/** The answer, or why there is none. Never rejects. */
async function post(address: string, body: string, { interrupted }: Invocation): Promise<Answer> {
  try {
    const { url, headers } = withoutLogin(address, { 'content-type': 'application/json' })
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal: AbortSignal.any([interrupted(), AbortSignal.timeout(POST_DEADLINE_MS)]),
    })
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
      await response.body?.cancel()
      return { status: response.status, body: '' }
    }
    return { status: response.status, body: (await response.text()).slice(0, MAX_BODY) }
  } catch (thrown) {
    const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
    return { why: errorCode(cause) ?? errorText(cause) }
  }
}
