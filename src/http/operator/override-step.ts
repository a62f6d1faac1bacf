import type { CountingOverride } from '../../fallback/fallback.js'
import type { ScopeDimension } from '../../protocol/fallback-scope.js'
import type { Language, Sentence } from '../edge/language.js'

const PROVIDED: Readonly<Record<'on' | 'off', Sentence>> = {
  on: { 'zh-CN': '回退已对该调用方生效，改用 direct_llm', en: 'on for this caller: direct_llm' },
  off: { 'zh-CN': '未回退，由执行模式标志决定', en: 'off for this caller: the execution mode flag decides' },
}

const OURS: Readonly<Record<'on' | 'off', Sentence>> = {
  on: {
    'zh-CN': '本副本的回退标志比标志来源给出的更新，已对该调用方生效，改用 direct_llm',
    en: "this replica's own override is newer than the provider's and on for this caller: direct_llm",
  },
  off: {
    'zh-CN': '本副本的回退标志比标志来源给出的更新，对该调用方未生效，由执行模式标志决定',
    en: "this replica's own override is newer than the provider's and off for this caller: the execution mode flag decides",
  },
}

const ISOLATED: Sentence = {
  'zh-CN': '只有本副本的 Runtime 异常而其他副本正在恢复，本副本暂时全部改用 direct_llm',
  en: 'the runtime fails only for this replica while others recover: direct_llm until it was healthy here once',
}

const INSIDE: Readonly<Record<ScopeDimension, Sentence>> = {
  orgs: {
    'zh-CN': '；自动回退仅限部分组织，该调用方的组织在其中',
    en: '; the automatic fallback is for some orgs alone, and this org is one of them',
  },
  agents: {
    'zh-CN': '；自动回退仅限部分智能体，该智能体在其中',
    en: '; the automatic fallback is for some agents alone, and this agent is one of them',
  },
}

const OUTSIDE: Readonly<Record<ScopeDimension, Sentence>> = {
  orgs: {
    'zh-CN': '；自动回退仅限部分组织，该调用方的组织不在其中',
    en: '; the automatic fallback is for some orgs alone, and this org is not one of them',
  },
  agents: {
    'zh-CN': '；自动回退仅限部分智能体，该智能体不在其中',
    en: '; the automatic fallback is for some agents alone, and this agent is not one of them',
  },
}

/** Why the override says what it says for one caller. */
export function overrideWhy(override: CountingOverride, language: Language): string {
  return sentenceOf(override)[language] + scopeOf(override, language)
}

function sentenceOf({ on, whose }: CountingOverride): Sentence {
  const value = on ? 'on' : 'off'
  switch (whose) {
    case 'isolated':
      return ISOLATED
    case 'own':
    case 'tripped':
      return OURS[value]
    case 'provider':
      return PROVIDED[value]
  }
}

function scopeOf({ scoped }: CountingOverride, language: Language): string {
  if (scoped === undefined) return ''
  return (scoped.covered ? INSIDE : OUTSIDE)[scoped.dimension][language]
}
