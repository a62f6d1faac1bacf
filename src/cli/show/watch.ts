import { errorText } from '../../core/errors.js'
import { counted } from '../../core/text.js'
import {
  flagsEventSchema,
  type MetricsEvent,
  metricsEventSchema,
  transitionEventSchema,
  type WindowMetrics,
} from '../../protocol/fallback.js'
import { type RolloutView, rolloutChangeSchema } from '../../protocol/rollout.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { pause } from '../command/pause.js'
import { eventsOf, type StreamEvent, StreamSilent } from '../service/event-stream.js'
import { parseKnown } from '../service/loose-parse.js'
import type { ServiceClient } from '../service/service-client.js'
import { CommandError, Refused } from '../text/command-error.js'
import { duration, moment, percent } from '../text/format.js'
import { oneLine, table } from '../text/table.js'
import { rolloutLine, rolloutOf } from './rollout.js'
import { fallbackLines } from './status-lines.js'

const SHOWN_EVENTS = 6
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

export const watchCommand: CommandSpec = {
  examples: ['watch', 'watch --json | jq -c \'select(.event == "transition")\''],
  exits: {
    en: 'Exit code: 0 ended by Ctrl-C; 1 the service refuses (a connection that breaks is made again); 2 wrong usage.',
    'zh-CN': '退出码（Exit code: 0 / 1 / 2）：0 被 Ctrl-C 结束；1 服务拒绝（断线会自动重连）；2 用法错误。',
  },
  remote: true,
  async run(invocation) {
    const until = invocation.interrupted()
    const client = invocation.client()
    const view = viewOf(invocation)
    let waitMs = FIRST_WAIT_MS
    while (!until.aborted) {
      try {
        const response = await client.open({ path: '/runtime/events' }, until)
        for await (const event of eventsOf(response)) {
          waitMs = FIRST_WAIT_MS
          if (view.showsRollout && event.event !== 'heartbeat') view.rollout(await rolloutNow(client))
          view.show(event)
        }
        if (!until.aborted) view.note(invocation.t('The service ended the stream.', '服务结束了事件流。'))
      } catch (thrown) {
        if (until.aborted) break
        if (thrown instanceof Refused && thrown.status !== 503) throw thrown
        view.note(whyBroken(thrown, invocation))
      }
      await pause(waitMs, invocation.clock, until)
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
    }
    view.end()
    return 0
  },
}

/** A line that cannot be drawn now is drawn with the next event. */
async function rolloutNow(client: ServiceClient): Promise<RolloutView | undefined> {
  try {
    return await rolloutOf(client)
  } catch {
    return undefined
  }
}

function whyBroken(thrown: unknown, { t }: Invocation): string {
  if (thrown instanceof CommandError) return thrown.message
  if (thrown instanceof StreamSilent) return t('Nothing came for too long.', '长时间没有收到数据。')
  return t(`The stream broke: ${errorText(thrown)}`, `事件流中断：${errorText(thrown)}`)
}

interface View {
  /** asks for the rollout with each event */
  readonly showsRollout?: true
  rollout(view: RolloutView | undefined): void
  show(event: StreamEvent): void
  /** about the connection itself */
  note(text: string): void
  end(): void
}

function viewOf(invocation: Invocation): View {
  if (invocation.json)
    return {
      show: (event) => invocation.print(`${JSON.stringify(event)}\n`),
      note: (text) => invocation.output.err(`${text}\n`),
      rollout: () => undefined,
      end: () => undefined,
    }
  return invocation.output.columns === undefined ? linesView(invocation) : screenView(invocation)
}

/** One line an event, for files and pipes. */
function linesView(invocation: Invocation): View {
  return {
    show(event) {
      const metrics = metricsOf(event)
      const line = metrics === undefined ? eventLine(event, invocation) : metricsLine(metrics, invocation)
      if (line !== undefined) invocation.print(`${line}\n`)
    },
    note: (text) => invocation.output.err(`${text}\n`),
    rollout: () => undefined,
    end: () => undefined,
  }
}

/** The state, redrawn in place, and the last events below it. */
function screenView(invocation: Invocation): View {
  const { style, t } = invocation
  const recent: string[] = []
  let latest: MetricsEvent | undefined
  let rollout: RolloutView | undefined
  let drawn = 0

  const draw = (): void => {
    const lines = [
      ...stateLines(latest, rollout, invocation),
      ...recent,
      style.dim(t('Ctrl-C ends it.', '按 Ctrl-C 结束。')),
    ]
    const back = drawn === 0 ? '' : `\u001b[${drawn}A`
    // Long lines are cut by the terminal, not wrapped: so many lines are drawn as are counted.
    invocation.print(`\u001b[?7l${back}\u001b[0J${lines.map((line) => `${line}\n`).join('')}\u001b[?7h`)
    drawn = lines.length
  }
  const add = (line: string): void => {
    recent.push(line)
    if (recent.length > SHOWN_EVENTS) recent.shift()
  }

  return {
    showsRollout: true,
    rollout(view) {
      rollout = view
    },
    show(event) {
      const metrics = metricsOf(event)
      if (metrics !== undefined) latest = metrics
      else {
        const line = eventLine(event, invocation)
        if (line !== undefined) add(line)
      }
      draw()
    },
    note(text) {
      for (const line of text.split('\n')) add(style.warning(line))
      draw()
    },
    end: () => undefined,
  }
}

function stateLines(
  latest: MetricsEvent | undefined,
  rollout: RolloutView | undefined,
  invocation: Invocation,
): string[] {
  if (latest === undefined) return []
  const { style, t } = invocation
  const rows = [
    [t('As of', '时间'), `${moment(latest.at)} (${oneLine(latest.status.replica)})`],
    ...fallbackLines(latest.status, invocation),
    ...rolloutLine(rollout, invocation),
    [t('Direct LLM', '直连 LLM'), windowText(latest.direct, invocation)],
    ['Runtime', windowText(latest.runtime, invocation)],
  ].map(([name = '', text = '']) => [style.bold(name), oneLineStyled(text)])
  return [...table(rows).trimEnd().split('\n'), '']
}

/** Colours stay; a line break would spoil the count of lines. */
const oneLineStyled = (text: string): string => text.replaceAll('\n', ' ')

function windowText(metrics: WindowMetrics, { t }: Pick<Invocation, 't'>): string {
  const { total, errorRate, timeoutRate, avgLatencyMs, p95LatencyMs } = metrics
  if (total === 0) return t('no executions', '无执行')
  return t(
    `${counted(total, 'execution')}, errors ${percent(errorRate)}, timeouts ${percent(timeoutRate)}, mean ${duration(avgLatencyMs)}, P95 ${duration(p95LatencyMs)}`,
    `执行 ${total} 次，错误 ${percent(errorRate)}，超时 ${percent(timeoutRate)}，平均 ${duration(avgLatencyMs)}，P95 ${duration(p95LatencyMs)}`,
  )
}

const metricsOf = ({ event, data }: StreamEvent): MetricsEvent | undefined =>
  event === 'metrics' ? parseKnown(metricsEventSchema, data) : undefined

function metricsLine({ at, direct, runtime, status }: MetricsEvent, invocation: Invocation): string {
  const { t } = invocation
  const state = status.fallbackEnabled
    ? `${t('fallback', '回退')}: ${oneLine(status.fallbackReason)}`
    : t('no fallback', '无回退')
  return `${moment(at)}  metrics     ${state}; direct: ${windowText(direct, invocation)}; runtime: ${windowText(runtime, invocation)}`
}

function eventLine({ event, data }: StreamEvent, { style }: Invocation): string | undefined {
  if (event === 'transition') {
    const transition = parseKnown(transitionEventSchema, data)
    if (transition === undefined) return undefined
    const { at, kind, from, to, reason } = transition
    return `${moment(at)}  transition  ${style.bold(kind)} ${from} → ${to}: ${oneLine(reason)}`
  }
  if (event === 'rollout') {
    const change = parseKnown(rolloutChangeSchema, data)
    if (change === undefined) return undefined
    return `${moment(change.at)}  rollout     ${style.bold(change.kind)} ${oneLine(change.reason)}`
  }
  if (event !== 'flags') return undefined
  const change = parseKnown(flagsEventSchema, data)
  if (change === undefined) return undefined
  const by = change.edit === undefined ? '' : ` (${oneLine(change.edit.userId)})`
  return `${moment(change.at)}  flags       ${oneLine(change.flags.join(', '))}${by}`
}
