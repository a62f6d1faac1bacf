import { tripReason } from './fallback-reason.js'
import { instant } from './instant.js'
import type {
  RolloutChangeRecord,
  RolloutChangeView,
  RolloutView,
  RolloutWait,
  StageVerdictName,
} from './rollout.js'

type Language = 'zh-CN' | 'en'

/** For whom a rollout is, null: for all; and the share it has reached, percent. */
interface Reached {
  readonly orgIds: readonly string[] | null
  readonly agentIds: readonly string[] | null
  readonly percent: number
}

/** orgs named in one command: a line has to stay readable */
const MOST_ORGS = 20

/**
 * The line for a shell that makes a finished rollout permanent for those it is for, no others, and ends it. Null: there is no
 * such command, a person writes the rule.
 */
export function permanentCommand({ orgIds, agentIds, percent }: Reached): string | null {
  if (agentIds !== null) return null
  if (orgIds === null)
    return percent === 100 ? 'chat-cutover mode set runtime' : `chat-cutover canary set ${percent}`
  if (percent < 100 || orgIds.length > MOST_ORGS) return null
  // A rule for some orgs leaves the rollout its say for others: it does not end by itself.
  return `chat-cutover orgs add ${orgIds.map(quoted).join(' ')} && chat-cutover rollout abort`
}

const quoted = (id: string): string =>
  /^[\w.@:][\w.@:-]*$/.test(id) ? id : `'${id.replaceAll("'", "'\\''")}'`

function permanentText(reached: Reached, language: Language): string {
  const zh = language === 'zh-CN'
  const command = permanentCommand(reached)
  if (command !== null) return zh ? `执行 ${command} 使其永久生效` : `make it permanent: ${command}`
  return zh
    ? '要使其永久生效，请在 chat-execution-mode 的定向规则中写入相应的组织或智能体，然后执行 chat-cutover rollout abort'
    : 'to make it permanent, write a rule for its orgs or agents into chat-execution-mode, then run chat-cutover rollout abort'
}

/** What happened, in one sentence without the names of persons and replicas. */
export function rolloutChangeReason(change: RolloutChangeRecord, language: Language): string {
  const zh = language === 'zh-CN'
  const { fromPercent: from, toPercent: to, reason } = change
  const words = reason === '' ? '' : `${zh ? '：' : ': '}${reason}`
  const because = breachText(change, language)
  switch (change.kind) {
    case 'started':
      return (
        (zh
          ? `灰度放量开始：${stagesText(change)}，每阶段 ${change.everyMinutes} 分钟`
          : `Rollout started: ${stagesText(change)}, ${change.everyMinutes} min a stage`) + words
      )
    case 'raised':
      return zh
        ? `灰度放量从 ${from}% 升到 ${to}%：本阶段健康`
        : `Rollout raised from ${from}% to ${to}%: the stage was healthy`
    case 'lowered':
      return zh
        ? `灰度放量从 ${from}% 退回 ${to}%：${because}`
        : `Rollout went back from ${from}% to ${to}%: ${because}`
    case 'stopped':
      return zh
        ? `灰度放量停止，从 ${from}% 降为 0%：${because}`
        : `Rollout stopped, from ${from}% to 0%: ${because}`
    case 'finished': {
      const permanent = permanentText({ ...change, percent: to }, language)
      return zh
        ? `灰度放量完成：${to}% 在规定时间内健康；${permanent}`
        : `Rollout finished: ${to}% was healthy for its time; ${permanent}`
    }
    case 'paused':
      return (zh ? `灰度放量暂停，保持 ${to}%` : `Rollout paused, the share stays at ${to}%`) + words
    case 'resumed':
      return (zh ? `灰度放量继续，当前 ${to}%` : `Rollout resumed at ${to}%`) + words
    case 'aborted':
      return (zh ? `灰度放量中止，从 ${from}% 降为 0%` : `Rollout aborted, from ${from}% to 0%`) + words
    case 'made_permanent':
      return zh
        ? `灰度放量结束：运维标志已默认使用 Runtime（此前 ${from}%）`
        : `Rollout ended: the operators' flag gives the runtime by default (it was at ${from}%)`
    case 'superseded':
      return zh
        ? `灰度放量结束：运维标志的定向规则决定所有会话（此前 ${from}%）`
        : `Rollout ended: a targeting of the operators' flag decides for everybody (it was at ${from}%)`
    case 'hand_edit':
      return zh
        ? `灰度放量标志被手工修改：${from}% → ${to}%`
        : `The rollout's flag was edited by hand: ${from}% → ${to}%`
    case 'hand_edit_refused':
      return (
        (zh ? '对灰度放量标志的手工修改被拒绝' : "An edit of the rollout's flag by hand was refused") + words
      )
    case 'adopted':
      return zh
        ? `另一副本改变了灰度放量：${from}% → ${to}%`
        : `Another replica changed the rollout: ${from}% → ${to}%`
  }
}

export function stagesText({ stages }: { readonly stages: readonly number[] }): string {
  return `${stages.join('% → ')}%`
}

/** Empty where no breach is told of. */
export function breachText(
  { cause, value, threshold }: Pick<RolloutChangeRecord, 'cause' | 'value' | 'threshold'>,
  language: Language,
): string {
  if (cause === null || value === null || threshold === null) return ''
  return tripReason({ cause, value, threshold }, language)
}

export function rolloutChangeView(change: RolloutChangeRecord, language: Language): RolloutChangeView {
  return { ...change, at: instant(change.at), reason: rolloutChangeReason(change, language) }
}

const WAITS: Readonly<Record<RolloutWait, Readonly<Record<Language, string>>>> = {
  time: { 'zh-CN': '本阶段时间未到', en: "the stage's time is not over" },
  samples: { 'zh-CN': '执行次数不足', en: 'too few executions yet' },
  rates: {
    'zh-CN': '错误率、超时率或延迟尚未好到可以放量（须不超过阈值的一半）',
    en: 'rates or latency are not good enough for more traffic (at most half the thresholds)',
  },
  probe: { 'zh-CN': 'Runtime 健康检查未通过', en: 'the health probe of the runtime fails' },
  fallback: { 'zh-CN': '正在回退，期间不动', en: 'a fallback is on; nothing moves until it is over' },
  both_fail: {
    'zh-CN': '直连 LLM 也异常，不移动任何会话',
    en: 'the direct LLM fails as well; nobody is moved',
  },
  leader: { 'zh-CN': '由另一副本主导', en: 'another replica leads' },
  store: { 'zh-CN': '标志文件不可用', en: "the flag's file cannot be used" },
}

type Told = Pick<
  RolloutView,
  'state' | 'percent' | 'plan' | 'stage' | 'end' | 'waitsFor' | 'cause' | 'value' | 'threshold' | 'reason'
>

/** One sentence: what it does, and what a person can do. */
export function rolloutSummary(view: Told, language: Language): string {
  const zh = language === 'zh-CN'
  const { state, percent, plan, stage } = view
  const words = view.reason === '' ? '' : `${zh ? '：' : ': '}${view.reason}`
  switch (state) {
    case 'none':
      return zh ? '没有灰度放量' : 'no rollout'
    case 'running': {
      const of = zh
        ? `第 ${stage ?? 0}/${plan?.stages.length ?? 0} 阶段，${percent}%`
        : `stage ${stage ?? 0} of ${plan?.stages.length ?? 0}, ${percent}%`
      if (view.waitsFor === null) return of
      const waits = WAITS[view.waitsFor][language]
      return zh ? `${of}；等待：${waits}` : `${of}; waits: ${waits}`
    }
    case 'paused':
      return (zh ? `已暂停，保持 ${percent}%` : `paused, the share stays at ${percent}%`) + words
    case 'finished': {
      const { orgIds = null, agentIds = null } = plan ?? {}
      const permanent = permanentText({ orgIds, agentIds, percent }, language)
      return zh ? `已完成，${percent}% 健康；${permanent}` : `finished, ${percent}% was healthy; ${permanent}`
    }
    case 'ended':
      return endText(view, language) + words
  }
}

function endText(view: Told, language: Language): string {
  const zh = language === 'zh-CN'
  switch (view.end) {
    case 'stopped':
      return zh
        ? `已因异常停止（${breachText(view, language)}）`
        : `stopped by breaches (${breachText(view, language)})`
    case 'aborted':
      return zh ? '已中止' : 'aborted'
    case 'permanent':
      return zh ? '已结束：Runtime 已是默认模式' : 'ended: the runtime is the default by now'
    case 'superseded':
      return zh
        ? '已结束：运维标志的定向规则取代了它'
        : "ended: a targeting of the operators' flag took its place"
    case null:
      return zh ? '已结束' : 'ended'
  }
}

export const STAGE_VERDICT_NAMES: Readonly<Record<StageVerdictName, Readonly<Record<Language, string>>>> = {
  breach: { en: 'breach', 'zh-CN': '越过护栏' },
  healthy: { en: 'healthy', 'zh-CN': '健康' },
  insufficient_data: { en: 'not enough data', 'zh-CN': '数据不足' },
}
