import { type TurnTrace, turnTraceSchema } from '../../protocol/turn-trace.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { duration, modeName, moment } from '../text/format.js'
import { oneLine, table } from '../text/table.js'

export const sessionsTraceCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .argument('<id>', t('id of the session', '会话编号'))
      .argument('<message>', t('id of the answer: messageId of done', '回答编号：done 中的 messageId')),
  examples: ['sessions trace 0190c0de-0000-7000-8000-000000000000 0190c0de-0000-7000-8000-000000000001'],
  remote: true,
  async run(invocation) {
    const [sessionId = '', messageId = ''] = invocation.given.words.map(encodeURIComponent)
    const path = `/chat/sessions/${sessionId}/turns/${messageId}/trace`
    const { data } = await invocation.client().ask({ path }, turnTraceSchema)
    if (invocation.json) invocation.printJson(data)
    else invocation.print(traceText(data, invocation))
    return 0
  },
}

/** One line an event, in the order of time. */
function traceText(trace: TurnTrace, { t, style }: Invocation): string {
  const { decision, end, dropped } = trace
  const lines = [
    ...(decision === undefined
      ? []
      : [line(0, t('decision', '决策'), modeName(decision.mode, t), decision.reason)]),
    ...trace.attempts.map(({ at, mode, result, code, phase, durationMs, firstContentAt }) =>
      line(
        at,
        t('attempt', '执行'),
        modeName(mode, t),
        [result ?? t('no end', '未结束'), code, phase].filter((word) => word !== undefined).join(' '),
        durationMs,
        firstContentAt === undefined
          ? ''
          : `${t('first content after', '首个内容')} ${duration(firstContentAt - at)}`,
      ),
    ),
    ...trace.steps.map(({ at, stepId, status, tool, durationMs }) =>
      line(at, t('step', '步骤'), tool === undefined ? stepId : `${stepId} (${tool})`, status, durationMs),
    ),
    ...trace.calls.map(({ at, kind, name, serverId, status, durationMs }) =>
      line(at, kind, serverId === undefined ? name : `${serverId} ${name}`, status, durationMs),
    ),
    line(
      end.at,
      t('end', '结束'),
      modeName(end.executionMode, t),
      [end.status, end.code].filter((word) => word !== undefined).join(' '),
    ),
  ].sort((one, other) => Math.sign(one.at - other.at) || 0)
  const head = `${style.bold(oneLine(trace.messageId))}  ${moment(trace.startedAt)}  ${style.dim(
    `request ${oneLine(trace.requestId)}${trace.traceId === undefined ? '' : `, trace ${oneLine(trace.traceId)}`}`,
  )}\n`
  const more =
    dropped === 0
      ? ''
      : `${t(`${dropped} steps and calls are not listed.`, `另有 ${dropped} 个步骤和调用未列出。`)}\n`
  return `${head}${table(lines.map(({ cells }) => cells))}${more}`
}

function line(at: number | undefined, ...[what, name, how, durationMs, note = '']: LineParts) {
  const time = at === undefined ? '' : `+${duration(at)}`
  const took = durationMs === undefined ? '' : duration(durationMs)
  return { at: at ?? Number.POSITIVE_INFINITY, cells: [time, what, oneLine(name), oneLine(how), took, note] }
}

type LineParts = readonly [
  what: string,
  name: string,
  how: string,
  durationMs?: number | undefined,
  note?: string,
]
