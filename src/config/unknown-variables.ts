import type { Bilingual } from '../core/bilingual.js'
import { closestName } from '../core/closest-name.js'
import { SECRET_VARIABLES } from '../core/files/secret-files.js'
import { environmentSchema, type Given } from './environment.js'

/** A variable that is set, looks like one of the service and is none. */
export interface UnknownVariable {
  readonly name: string
  /** the variables that were likely meant: none, one or two */
  readonly meant: readonly string[]
}

const OWN = Object.keys(environmentSchema.shape)
/** Those of the command line and of the tests may be set in the same place. */
const KNOWN = new Set([...OWN, ...SECRET_VARIABLES.map((name) => `${name}_FILE`), 'CHAT_URL', 'CHAT_TOKEN'])
const OF_TESTS = /^CHAT_(TEST|REQUIRE)_/
/** Kubernetes sets these in each pod for each Service of the namespace: one that is named `chat`, for example. */
const OF_KUBERNETES = /_SERVICE_(HOST|PORT)(_|$)|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/
const FAMILIES = /^(CHAT|LLM|FLAGD|JWT|JWKS|RUNTIME)_/

/**
 * Pure. Variables with the prefix `CHAT_` that the service does not know, and those with another prefix of its own that are
 * a slip away from a known name: other programs share these prefixes. An empty variable counts as not set.
 */
export function unknownVariables(env: Given): UnknownVariable[] {
  return Object.keys(env)
    .filter((name) => env[name]?.trim() && !KNOWN.has(name) && FAMILIES.test(name))
    .filter((name) => !OF_TESTS.test(name))
    .sort()
    .map((name): UnknownVariable => ({ name, meant: meantBy(name) }))
    .filter(({ name, meant }) => meant.length > 0 || (name.startsWith('CHAT_') && !OF_KUBERNETES.test(name)))
}

function meantBy(name: string): string[] {
  const closest = closestName(name, KNOWN)
  if (closest !== undefined) return [closest]
  if (OF_KUBERNETES.test(name)) return []
  const bare = name.replace(/^CHAT_/, '')
  return KNOWN.has(bare) ? [bare] : withItsWords(name)
}

/** `CHAT_RUNTIME_SHADOW_PERCENT` and `CHAT_SHADOW_AA_PERCENT` for `CHAT_SHADOW_PERCENT`; more than two are no help. */
function withItsWords(name: string): string[] {
  const words = name.split('_')
  const found = OWN.filter((known) => {
    const has = new Set(known.split('_'))
    return words.every((word) => has.has(word))
  })
  return found.length > 2 ? [] : found
}

/** One line for the log (in English) and for `doctor`; undefined where there is none. Names alone, for a value may be a secret. */
export function unknownText(unknown: readonly UnknownVariable[]): Bilingual | undefined {
  if (unknown.length === 0) return undefined
  const names = unknown.map(({ name, meant }) =>
    meant.length === 0 ? name : `${name} (did you mean ${meant.join(' or ')}?)`,
  )
  const zh = unknown.map(({ name, meant }) =>
    meant.length === 0 ? name : `${name}（是否应为 ${meant.join(' 或 ')}？）`,
  )
  return {
    en: `variables without effect: ${names.join(', ')}; .env.example lists those the service knows`,
    'zh-CN': `不起作用的变量：${zh.join('、')}；本服务的变量见 .env.example`,
  }
}
