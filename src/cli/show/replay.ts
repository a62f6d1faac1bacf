import { readFileSync } from 'node:fs'
import { parsedJson } from '../../core/json/parsed-json.js'
import { counted } from '../../core/text.js'
import {
  REPLAY_MAX_DAYS,
  type ReplayTransition,
  type ReplayView,
  replaySchema,
} from '../../protocol/replay.js'
import type { CommandSpec, Invocation } from '../command/invocation.js'
import { causeText } from '../text/cause-text.js'
import { CommandError } from '../text/command-error.js'
import { moment, span } from '../text/format.js'
import type { Say } from '../text/language.js'
import { oneLine, table } from '../text/table.js'

/** ms for the call where --timeout says nothing: a busy day takes the service up to 20 s, and others may be before it */
const DEADLINE_MS = 60_000

export const replayCommand: CommandSpec = {
  define: (command, t) =>
    void command
      .requiredOption(
        '--guardrails <file>',
        t('JSON: the fields that differ from those in force', 'JSON 文件：与现行护栏不同的字段'),
      )
      .option('--from <instant>', t('ISO 8601 (24 h before --to)', 'ISO 8601（默认 --to 之前 24 小时）'))
      .option(
        '--to <instant>',
        t(
          `ISO 8601, at most ${REPLAY_MAX_DAYS} days later (now)`,
          `ISO 8601，最多晚 ${REPLAY_MAX_DAYS} 天（默认现在）`,
        ),
      ),
  examples: [
    `replay --guardrails strict.json`,
    'replay --guardrails strict.json --from 2026-01-31T20:00:00Z --to 2026-02-01T06:00:00Z',
    "replay --guardrails strict.json --json | jq '.replayed.trips'",
  ],
  remote: true,
  async run(invocation) {
    const { given, t } = invocation
    const [from, to] = [given.text('from'), given.text('to')]
    const body = {
      guardrails: guardrailsIn(given.text('guardrails') ?? '', t),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    }
    const client = invocation.client(given.number('timeout') === undefined ? { deadlineMs: DEADLINE_MS } : {})
    const { data } = await client.ask({ method: 'POST', path: '/runtime/replay', body }, replaySchema)
    if (invocation.json) invocation.printJson(data)
    else invocation.print(replayText(data, invocation))
    return 0
  },
}

function guardrailsIn(file: string, t: Say): object {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    const why = causeText(thrown, t)
    throw new CommandError(t(`${file} cannot be read: ${why}`, `无法读取 ${file}：${why}`), 2)
  }
  const value = parsedJson(text)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new CommandError(
    t(
      `${file} must hold a JSON object of guardrails, like {"errorRate": 0.3}`,
      `${file} 必须是护栏的 JSON 对象，例如 {"errorRate": 0.3}`,
    ),
    2,
  )
}

function replayText(data: ReplayView, { t, style }: Invocation): string {
  const lines = [`${style.bold(t('Replay', '重放'))}  ${moment(data.from)} – ${moment(data.to)}`]
  if (data.partial !== null)
    lines.push(
      style.bold(
        t(
          `Only up to ${moment(data.until)}: ${PARTIAL[data.partial].en}`,
          `仅到 ${moment(data.until)}：${PARTIAL[data.partial]['zh-CN']}`,
        ),
      ),
    )
  for (const { name, inForce, replayed } of data.changed)
    lines.push(
      oneLine(`${name}  ${JSON.stringify(inForce)} → ${JSON.stringify(replayed)}`) +
        (data.ignored.includes(name)
          ? style.dim(t('  (changes nothing in a replay)', '（对重放没有影响）'))
          : ''),
    )
  if (data.changed.length === 0) lines.push(t('The guardrails are those in force', '护栏与现行的相同'))
  const { replayed, happened, evidence } = data
  const sums = [
    ['', t('replayed', '重放'), t('happened', '实际')].map(style.dim),
    [t('Trips', '触发次数'), String(replayed.trips), String(happened.trips)],
    [t('In fallback', '回退时长'), span(replayed.fallbackMs), span(happened.fallbackMs)],
    [t('Recovering', '恢复时长'), span(replayed.recoveringMs), span(happened.recoveringMs)],
  ]
  const looked = t(
    [
      counted(evidence.executions, 'execution'),
      counted(evidence.shadows, 'recovery shadow'),
      counted(evidence.probeVerdicts, 'probe verdict'),
      counted(evidence.commands, 'command'),
    ].join(', '),
    `${evidence.executions} 次执行，${evidence.shadows} 次恢复影子请求，${evidence.probeVerdicts} 次探测结论，${evidence.commands} 次人工操作`,
  )
  const notes = data.limits.map((limit) => style.dim(`- ${oneLine(limit)}`))
  return `${lines.join('\n')}\n\n${table(sums)}\n${timeline(data, t, style.dim)}${looked}\n${notes.join('\n')}\n`
}

const PARTIAL = {
  time: {
    en: 'the time of one replay was over. Ask for a shorter span',
    'zh-CN': '单次重放的时间已用完，请缩短时段',
  },
  rows: {
    en: 'there is more evidence than one replay takes. Ask for a shorter span',
    'zh-CN': '记录超过单次重放的上限，请缩短时段',
  },
  transitions: {
    en: 'there are more transitions than one answer holds',
    'zh-CN': '变更数量超过单次应答的上限',
  },
} as const

/** Both sides by time; each with how long it stayed so. */
function timeline({ replayed, happened, until }: ReplayView, t: Say, dim: (text: string) => string): string {
  const rows = [
    ...sideRows(replayed.transitions, until, t('replayed', '重放')),
    ...sideRows(happened.transitions, until, t('happened', '实际')),
  ].sort((a, b) => a.at.localeCompare(b.at))
  if (rows.length === 0) return `${t('No transitions on either side.', '两边都没有变更。')}\n\n`
  const head = [
    t('when', '时间'),
    t('side', '来源'),
    t('kind', '类型'),
    t('state', '状态'),
    t('for', '持续'),
    t('why', '原因'),
  ]
  return `${table([head.map(dim), ...rows.map(({ cells }) => cells)])}\n`
}

const sideRows = (transitions: readonly ReplayTransition[], until: string, side: string) =>
  transitions.map(({ at, kind, from, to, reason }, index) => ({
    at,
    cells: [
      moment(at),
      side,
      kind,
      from === to ? to : `${from} → ${to}`,
      span(Date.parse(transitions[index + 1]?.at ?? until) - Date.parse(at)),
      oneLine(reason),
    ],
  }))
