import type { Caller } from '../../decision/caller.js'
import { decide } from '../../decision/decide.js'
import { FLAG_KEYS, type TurnFlags } from '../../decision/flags.js'
import type { Fallback } from '../../fallback/fallback.js'
import type { Explanation } from '../../protocol/api.js'
import type { DecisionReason } from '../../protocol/modes.js'
import type { GuardedRollout } from '../../rollout/rollout.js'
import type { Language, Sentence } from '../edge/language.js'
import { overrideWhy } from './override-step.js'
import { rolloutWhy } from './rollout-step.js'

/** Where a flag's value came from, for a person. */
const SOURCES: Readonly<Record<Exclude<DecisionReason, 'fallback' | 'rollout'>, Sentence>> = {
  targeting_match: { 'zh-CN': '命中定向规则', en: 'a targeting rule matched' },
  default: { 'zh-CN': '标志的默认取值', en: "the flag's default variant" },
  code_default: {
    'zh-CN': '标志未给出取值，采用环境变量',
    en: 'the flag has no value, the environment decides',
  },
  stale: {
    'zh-CN': '标志来源不可用，沿用最近一次有效取值',
    en: 'the source is away, the last good value holds',
  },
}

const SHADOW: Readonly<Record<'fallback' | 'on' | 'off', Sentence>> = {
  fallback: { 'zh-CN': '回退期间不做影子执行', en: 'no shadow runs during a fallback' },
  on: {
    'zh-CN': '该会话在影子比例之内，同时在另一后端执行',
    en: 'this session is within the share that also runs on the other backend',
  },
  off: {
    'zh-CN': '该会话不在影子比例之内，不在另一后端执行',
    en: 'this session is not within the share that also runs on the other backend',
  },
}

function shadowWhy(byFallback: boolean, shadow: boolean, language: Language): string {
  if (byFallback) return SHADOW.fallback[language]
  return SHADOW[shadow ? 'on' : 'off'][language]
}

const ROUTE: Sentence = {
  'zh-CN': '直连 LLM 按此顺序使用这些端点',
  en: 'the direct LLM asks these endpoints in this order',
}

function routeStep(endpoints: readonly string[], decides: boolean, language: Language): Explanation['steps'] {
  if (endpoints.length === 0) return []
  return [{ flag: FLAG_KEYS.route, value: endpoints.join(', '), decides, why: ROUTE[language] }]
}

/** The decision a caller would get, and what each flag said, in the order they are asked. */
export function explainDecision(
  caller: Caller,
  flags: TurnFlags,
  fallback: Pick<Fallback, 'overrideFor'>,
  guarded: Pick<GuardedRollout, 'shareFor' | 'snapshot'>,
  language: Language,
): Explanation {
  const override = fallback.overrideFor(caller, flags.override)
  const rollout = guarded.shareFor(caller, flags.rollout)
  const decision = decide(flags, override, rollout)
  const byRollout = decision.reason === 'rollout'
  return {
    context: caller,
    decision,
    steps: [
      {
        flag: FLAG_KEYS.override,
        value: override.on,
        decides: override.on,
        why: overrideWhy(override, language),
      },
      {
        flag: FLAG_KEYS.mode,
        value: flags.mode.value,
        reason: flags.mode.reason,
        decides: !override.on && !byRollout,
        why: SOURCES[flags.mode.reason][language],
      },
      {
        flag: FLAG_KEYS.rollout,
        value: rollout.on,
        decides: byRollout,
        why: rolloutWhy(caller, rollout, byRollout, guarded.snapshot(), language),
      },
      {
        flag: FLAG_KEYS.shadow,
        value: flags.shadow,
        decides: decision.shadow,
        why: shadowWhy(override.on, decision.shadow, language),
      },
      ...routeStep(flags.route.endpoints, decision.mode === 'direct_llm', language),
    ],
  }
}
