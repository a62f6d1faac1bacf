import type { Actor, FallbackCause, FallbackStateName, ManualScope, TransitionKind } from './fallback.js'
import { tripReason } from './fallback-reason.js'
import { type Scope, scopeNote } from './fallback-scope.js'

/** What of a transition its sentence is made from. */
export interface TransitionFacts {
  readonly kind?: TransitionKind
  readonly from: FallbackStateName
  readonly to: FallbackStateName
  /** absent: everybody */
  readonly scope?: Scope
  readonly manualFrom: ManualScope
  readonly manualTo: ManualScope
  readonly actor: Actor
  readonly cause?: FallbackCause
  /** rates 0 to 1, latency in ms, health in failed probes */
  readonly value?: number
  readonly threshold?: number
  /** a person's own words; of a refused edit what is wrong with it, and its copy's name */
  readonly reason?: string
  readonly recoveringPercent?: number
}

/** Why the override changed, as `reason` in `GET /runtime/fallback/history`: a person's own words, or a sentence. */
export function transitionReason(facts: TransitionFacts, language: 'zh-CN' | 'en'): string {
  return ownWords(facts) ?? sentence(facts)[language === 'zh-CN' ? 'zh' : 'en']
}

/** The kind as noted, else what the two states tell: entries need not have one. */
export function transitionKind(facts: TransitionFacts): TransitionKind {
  if (facts.kind !== undefined) return facts.kind
  if (facts.actor === 'manual') return facts.manualTo === 'none' ? 'reset' : 'triggered'
  if (facts.manualFrom !== 'none' && facts.manualTo === 'none') return 'manual_expired'
  switch (`${facts.from} ${facts.to}` as const) {
    case 'normal fallback':
      return 'trip'
    case 'recovering fallback':
      return 'relapse'
    case 'fallback recovering':
      return 'recovery_begun'
    case 'recovering recovering':
      return 'ramp_step'
    case 'recovering normal':
      return 'recovered'
    case 'fallback normal':
      return 'policy_off'
    case 'normal normal':
    case 'normal recovering':
    case 'fallback fallback':
      return 'adopted'
  }
}

/** An operator may give a reason; what ends automatically has none. */
function ownWords(facts: TransitionFacts): string | undefined {
  const kind = transitionKind(facts)
  const byHand = kind === 'triggered' || kind === 'hand_edit' || kind === 'reset'
  const words = facts.reason?.trim()
  return byHand && words !== '' ? words : undefined
}

interface Sentence {
  readonly zh: string
  readonly en: string
}

function sentence(facts: TransitionFacts): Sentence {
  const kind = transitionKind(facts)
  const some = facts.manualTo === 'orgs'
  switch (kind) {
    case 'trip':
    case 'relapse':
      return withScope(tripSentence(facts), facts)
    case 'widened': {
      const { zh, en } = withScope(tripSentence(facts), facts)
      return { zh: `回退范围扩大: ${zh}`, en: `Fallback widened: ${en}` }
    }
    case 'recovery_begun':
      return withScope(withShare({ zh: '开始恢复', en: 'Recovery begun' }, facts), facts)
    case 'ramp_step':
      return withScope(withShare({ zh: '继续恢复', en: 'Recovery goes on' }, facts), facts)
    case 'recovered':
      return withScope({ zh: '已恢复正常', en: 'Back to normal' }, facts)
    case 'reset':
      return { zh: '手动重置', en: 'Manual reset' }
    case 'triggered':
      return some
        ? { zh: '手动回退 (部分组织)', en: 'Manual fallback (some orgs)' }
        : { zh: '手动回退', en: 'Manual fallback' }
    case 'manual_expired': {
      const over = { zh: '手动回退已到期', en: 'Manual fallback is over' }
      return facts.to === 'recovering' ? withShare(over, facts) : over
    }
    case 'policy_off':
      return {
        zh: '回退策略为 off: 自动回退已解除',
        en: 'Fallback policy is off: automatic fallback lifted',
      }
    case 'hand_edit':
      return facts.manualTo === 'none'
        ? { zh: '手工编辑 flag 文件: 已重置', en: 'Flag file edited by hand: reset' }
        : { zh: '手工编辑 flag 文件: 手动回退', en: 'Flag file edited by hand: manual fallback' }
    case 'hand_edit_refused':
      return withDetail(
        { zh: '手工编辑 flag 文件被拒绝，未生效', en: 'Flag file edited by hand: refused, not in force' },
        facts,
      )
    case 'adopted':
      return { zh: '采用 flag 存储中的状态', en: 'State taken from the flag store' }
  }
}

function withDetail({ zh, en }: Sentence, { reason }: TransitionFacts): Sentence {
  if (reason === undefined) return { zh, en }
  return { zh: `${zh}: ${reason}`, en: `${en}: ${reason}` }
}

function tripSentence({ cause, value, threshold }: TransitionFacts): Sentence {
  const measured = value !== undefined && threshold !== undefined
  if (cause === undefined || cause === 'manual' || (!measured && cause !== 'health')) {
    return { zh: '自动回退', en: 'Automatic fallback' }
  }
  const trip = { cause, value: value ?? 0, threshold: threshold ?? 0 }
  return { zh: tripReason(trip, 'zh-CN'), en: tripReason(trip, 'en') }
}

function withScope({ zh, en }: Sentence, { scope }: TransitionFacts): Sentence {
  return { zh: zh + scopeNote(scope, 'zh-CN'), en: en + scopeNote(scope, 'en') }
}

function withShare({ zh, en }: Sentence, { recoveringPercent }: TransitionFacts): Sentence {
  if (recoveringPercent === undefined) return { zh, en }
  return {
    zh: `${zh}: ${recoveringPercent}% 的会话回到 Runtime`,
    en: `${en}: ${recoveringPercent}% of the sessions back on the runtime`,
  }
}
