import type { FallbackStatus } from '../../protocol/fallback.js'
import type { FlagsView } from '../../protocol/flag-edit.js'
import type { RolloutView } from '../../protocol/rollout.js'
import { clockTime, names } from '../text/format.js'
import { type Sentence, t } from '../text/language.js'
import { PARTS } from '../text/parts.js'

/** What is true now, in one sentence: who is where, and whether there is a fallback. */

const TEXT = {
  unknown: {
    en: 'The operators’ flag file cannot be read here',
    'zh-CN': '此处无法读取运维标志文件',
  },
  lastGood: {
    en: 'The last good flags are in force, not what the operators’ file says now',
    'zh-CN': '最近一次有效的 flag 仍在生效，运维标志文件的当前内容未生效',
  },
  allRuntime: { en: 'Everybody is on the runtime', 'zh-CN': '全部会话使用 Runtime' },
  allDirect: { en: 'Everybody is on the direct LLM', 'zh-CN': '全部会话使用直连 LLM' },
  orgs: {
    en: '{orgs} {verb} on the runtime, everybody else on the direct LLM',
    'zh-CN': '{orgs} 使用 Runtime，其余使用直连 LLM',
  },
  orgsAndCanary: {
    en: '{orgs} {verb} on the runtime, and so are {percent}% of all other sessions',
    'zh-CN': '{orgs} 使用 Runtime，其余会话的 {percent}% 也使用 Runtime',
  },
  canary: {
    en: '{percent}% of all sessions are on the runtime, all others on the direct LLM',
    'zh-CN': '{percent}% 的会话使用 Runtime，其余使用直连 LLM',
  },
  byHand: {
    en: 'Rules written by hand decide who gets the runtime',
    'zh-CN': '由手写的定向规则决定哪些会话使用 Runtime',
  },
  noFallback: { en: 'no fallback', 'zh-CN': '无回退' },
  fallback: {
    en: 'but a fallback sends {whom} to the direct LLM since {since}',
    'zh-CN': '但自 {since} 起回退使{whom}改用直连 LLM',
  },
  recovering: {
    en: 'and the runtime is recovering: {percent}% of its sessions are back',
    'zh-CN': 'Runtime 正在恢复：已有 {percent}% 的会话切回',
  },
  manual: {
    en: 'but an operator keeps {whom} on the direct LLM',
    'zh-CN': '但运维人员让{whom}使用直连 LLM',
  },
} as const satisfies Record<string, Sentence>

export function nowSentence(
  flags: FlagsView | undefined,
  rollout: RolloutView | undefined,
  status: FallbackStatus,
): string {
  const told = flags === undefined ? t(TEXT.unknown) : who(flags, rollout)
  return t({ en: `${told}; ${fallback(status)}.`, 'zh-CN': `${told}；${fallback(status)}。` })
}

/**
 * The environment adds its orgs and its mode only while the flag has no variant. A rollout for everybody counts like a canary, which
 * excludes it; of one for some orgs or agents its own line tells.
 */
function who({ state, ops: { values }, environment }: FlagsView, rollout: RolloutView | undefined): string {
  if (state === 'stale') return t(TEXT.lastGood)
  if (values === null) return t(TEXT.unknown)
  const { value, enabledOrgs, canaryPercent } = values.mode
  if ((value ?? environment.mode) === 'runtime_orchestrator') return t(TEXT.allRuntime)
  if (enabledOrgs === null || canaryPercent === null) return t(TEXT.byHand)
  const ofRollout = rollout?.plan?.orgIds === null && rollout.plan.agentIds === null ? rollout.percent : 0
  const percent = Math.max(canaryPercent, ofRollout)
  if (percent === 100) return t(TEXT.allRuntime)
  const all = value === null ? [...new Set([...enabledOrgs, ...environment.enabledOrgs])] : enabledOrgs
  const orgs = names(all)
  const verb = all.length === 1 ? 'is' : 'are'
  if (all.length > 0)
    return percent > 0 ? t(TEXT.orgsAndCanary, { orgs, verb, percent }) : t(TEXT.orgs, { orgs, verb })
  return percent > 0 ? t(TEXT.canary, { percent }) : t(TEXT.allDirect)
}

function fallback({ fallback: auto, manual }: FallbackStatus): string {
  if (manual.scope !== 'none')
    return t(TEXT.manual, { whom: whom(manual.scope === 'all' ? [] : manual.orgIds) })
  switch (auto.state) {
    case 'normal':
      return t(TEXT.noFallback)
    case 'recovering':
      return t(TEXT.recovering, { percent: auto.recoveringPercent ?? 0 })
    case 'fallback':
      return t(TEXT.fallback, {
        whom: whom(auto.scopeIds),
        since: auto.since === null ? '' : clockTime(auto.since),
      })
  }
}

const whom = (ids: readonly string[]): string => (ids.length === 0 ? t(PARTS.everybody) : names(ids))
