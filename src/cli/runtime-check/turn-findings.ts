import { counted } from '../../core/text.js'
import type { Invocation } from '../command/invocation.js'
import type { Finding } from '../doctor/finding.js'
import { printable } from '../text/table.js'
import { callsOf, isKnownEvent, openCalls, shapeFaults } from './event-shapes.js'
import type { RuntimeAnswer, RuntimeTurn } from './runtime-turn.js'

type Translate = Invocation['t']

/** Whether a turn is answered at all. */
export function turnFinding(turn: RuntimeTurn, t: Translate): Finding {
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
  const names = turn.events.map(({ event }) => event)
  const complete = names.includes('execution_complete')
  if (!complete && !turn.done)
    return fault(
      t(
        'the stream ends with neither execution_complete nor [DONE]',
        '流结束时没有 execution_complete，也没有 [DONE]',
      ),
      t('Without one of them the service takes the answer for broken off', '否则服务会认为回答中断'),
    )
  return { check, result: 'ok', text: [...new Set(names)].join(', ').slice(0, 200) }
}

/** Whether the present question is answered, and not one of the history. */
export function historyFinding(turn: RuntimeTurn, wanted: string, t: Translate): Finding {
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

/** Whether a shadow is told to be kept from changing anything. */
export function fenceFinding(turn: RuntimeTurn, t: Translate): Finding {
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

/** ms without a byte after which something on the way may cut the connection; a ping is due every 15 s */
const SILENT_MS = 20_000
/** ms: a turn with a longer silence has shown whether the runtime pings */
const PING_MS = 15_000

/** How the stream is written: line ends, the request's id, events that the service knows. */
export function streamFinding(turn: RuntimeAnswer, t: Translate): Finding {
  const check = t('the stream', '流格式')
  const faults = shapeFaults(turn.events)
  if (faults.length > 0)
    return { check, result: 'fault', text: printable(faults.slice(0, 5).join('; ')), advice: shapeAdvice(t) }
  const unknown = [...new Set(turn.events.map(({ event }) => event).filter((event) => !isKnownEvent(event)))]
  const warning = (text: string, advice: string): Finding => ({
    check,
    result: 'warning',
    text: printable(text),
    advice,
  })
  if (turn.lineEnds === 'mixed' || turn.lineEnds === 'CR')
    return warning(
      t(
        `the lines end in ${turn.lineEnds === 'CR' ? 'CR' : 'CRLF and LF, mixed'}`,
        `行结尾为 ${turn.lineEnds}`,
      ),
      t('End every line with CRLF, or every line with LF', '所有行应统一以 CRLF 或 LF 结尾'),
    )
  if (unknown.length > 0)
    return warning(
      t(`events that the service skips: ${unknown.join(', ')}`, `服务会忽略的事件：${unknown.join(', ')}`),
      t(
        'Is a name misspelt? Names of events are those of docs/integrate.md',
        '名称是否有误？事件名见 docs/integrate.md',
      ),
    )
  if (!turn.done)
    return warning(
      t('the stream does not end with data: [DONE]', '流没有以 data: [DONE] 结尾'),
      t('Send it after the last event', '应在最后一个事件之后发送'),
    )
  if (!turn.echoesId)
    return warning(
      t('X-Request-ID is not echoed', '响应没有带回 X-Request-ID'),
      t(
        'Send the header back: by it both logs are laid side by side',
        '应原样返回该响应头，以便对照两边的日志',
      ),
    )
  return { check, result: 'ok', text: t(`its lines end with ${turn.lineEnds}`, `行结尾为 ${turn.lineEnds}`) }
}

const shapeAdvice = (t: Translate): string =>
  t(
    'Send the fields that docs/integrate.md lists, with these types; the service cannot read the event otherwise',
    '应按 docs/integrate.md 给出的字段与类型发送，否则服务无法读取该事件',
  )

/** The events around calls: their fields, and that each call that began ends. */
export function toolFinding(turn: RuntimeTurn, t: Translate): Finding {
  const check = t('a tool turn', '使用工具的对话')
  if (turn.kind === 'failed')
    return { check, result: 'fault', text: printable(turn.why), advice: logAdvice(t) }
  if (turn.error !== undefined)
    return { check, result: 'fault', text: printable(`execution_error: ${turn.error}`), advice: logAdvice(t) }
  const faults = shapeFaults(turn.events)
  if (faults.length > 0)
    return { check, result: 'fault', text: printable(faults.slice(0, 5).join('; ')), advice: shapeAdvice(t) }
  const open = openCalls(turn.events)
  if (open.length > 0)
    return {
      check,
      result: 'fault',
      text: printable(t(`began and never ended: ${open.join(', ')}`, `开始后没有结束：${open.join(', ')}`)),
      advice: t(
        'Send *_call_complete with the same name for each *_call_start, with success false where it failed',
        '每个 *_call_start 都应有同名的 *_call_complete；失败时 success 为 false',
      ),
    }
  const calls = callsOf(turn.events)
  if (calls === 0)
    return {
      check,
      result: 'skipped',
      text: t(
        'it called nothing; give a question that needs a tool: --tool-question',
        '没有调用工具；可用 --tool-question 给出需要工具的问题',
      ),
    }
  return { check, result: 'ok', text: t(counted(calls, 'call event'), `${calls} 个调用事件`) }
}

const logAdvice = (t: Translate): string => t('Its log says why', '请查看 runtime 日志')

/** Whether a long silence is bridged. @param turns all that were made */
export function pingFinding(turns: readonly RuntimeTurn[], t: Translate): Finding {
  const check = t('pings', '心跳')
  const answers = turns.filter((turn) => turn.kind === 'answer')
  const longest = Math.max(0, ...answers.map(({ silentMs }) => silentMs))
  const seconds = Math.round(longest / 1000)
  if (longest > SILENT_MS)
    return {
      check,
      result: 'warning',
      text: t(`${seconds} s without a byte`, `${seconds} 秒没有任何数据`),
      advice: t(
        'Send a ping event, or a comment (": ping"), every 15 s while nothing else comes: proxies cut silent connections',
        '没有其他数据时应每 15 秒发送 ping 事件或注释（": ping"），否则代理会断开静默的连接',
      ),
    }
  const pings = answers.reduce((sum, turn) => sum + turn.pings, 0)
  if (pings > 0 || longest > PING_MS)
    return {
      check,
      result: 'ok',
      text: t(`${pings}, longest silence ${seconds} s`, `${pings} 次，最长静默 ${seconds} 秒`),
    }
  return { check, result: 'skipped', text: t('no turn was silent for 15 s', '没有对话静默达 15 秒') }
}
