import type { JSONPath, Node } from 'jsonc-parser'
import { closestName } from '../../core/closest-name.js'
import { propertiesOf } from '../../core/json/json-tree.js'
import { evaluationContext, NOBODY } from '../caller.js'
import type { IssueList } from './flag-document.js'

/** What a rule may ask about a caller; `$flagd` holds flagd's own properties. */
const CONTEXT_KEYS: ReadonlySet<string> = new Set([...Object.keys(evaluationContext(NOBODY)), '$flagd'])
/** In their bodies a `var` is of the item, not of the caller. */
const WITH_ITEMS: ReadonlySet<string> = new Set(['filter', 'map', 'reduce', 'all', 'none', 'some'])
const EQUALITIES: ReadonlySet<string> = new Set(['==', '===', '!=', '!=='])

/**
 * Reports what flagd takes without a word and nobody means: a text where a list belongs, names that no caller can have, an org
 * twice, a context key that does not exist.
 */
export function checkMeaning(node: Node, path: JSONPath, issues: IssueList): void {
  if (node.type === 'array') {
    node.children?.forEach((child, index) => {
      checkMeaning(child, [...path, index], issues)
    })
    return
  }
  const [operator] = propertiesOf(node)
  if (operator === undefined) return
  const { key, value } = operator
  const at = [...path, key]
  if (key === 'var') checkKey(value, at, issues)
  if (key === 'in') checkIn(value, at, issues)
  if (EQUALITIES.has(key)) checkEquality(value, at, issues)
  if (WITH_ITEMS.has(key)) checkItems(value, at, issues)
  else checkMeaning(value, at, issues)
}

/** The list itself is the caller's; what is done with each item is not looked into. */
function checkItems(value: Node, path: JSONPath, issues: IssueList): void {
  const [list] = value.type === 'array' ? (value.children ?? []) : []
  if (list !== undefined) checkMeaning(list, [...path, 0], issues)
}

function checkKey(value: Node, path: JSONPath, issues: IssueList): void {
  const name = nameIn(value)
  const [key = ''] = name?.split('.') ?? []
  if (name === undefined || key === '' || CONTEXT_KEYS.has(key)) return
  const meant = closestName(key, CONTEXT_KEYS)
  const known = [...CONTEXT_KEYS].filter((one) => one !== '$flagd').join(', ')
  const [en, zh] =
    meant === undefined
      ? [`it has ${known}`, `可用：${known}`]
      : [`did you mean "${meant}"?`, `是否应为 "${meant}"？`]
  issues.suspect(value.offset, path, {
    en: `a caller's context has no "${key}", so it is always null; ${en}`,
    'zh-CN': `调用方的上下文中没有 "${key}"，其值始终为 null；${zh}`,
  })
}

function checkIn(value: Node, path: JSONPath, issues: IssueList): void {
  const [needle, haystack] = value.type === 'array' ? (value.children ?? []) : []
  const subject = needle === undefined ? undefined : contextKeyOf(needle)
  if (subject === undefined || haystack === undefined) return
  if (haystack.type === 'string') {
    const text = String(haystack.value)
    issues.suspect(haystack.offset, [...path, 1], {
      en: `"in" with a string matches substrings: any ${subject} that is a part of ${JSON.stringify(text)} matches; did you mean the list ${listOf(text)}?`,
      'zh-CN': `"in" 用于字符串时匹配子串：任何属于 ${JSON.stringify(text)} 一部分的 ${subject} 都会匹配；是否应为列表 ${listOf(text)}？`,
    })
  }
  if (haystack.type === 'array') checkMembers(haystack, subject, [...path, 1], issues)
}

function checkMembers(list: Node, subject: string, path: JSONPath, issues: IssueList): void {
  const seen = new Set<unknown>()
  list.children?.forEach((member, index) => {
    if (member.type === 'object' || member.type === 'array') return
    const at = [...path, index]
    if (seen.has(member.value)) {
      const name = JSON.stringify(member.value)
      issues.suspect(member.offset, at, { en: `${name} is listed twice`, 'zh-CN': `${name} 重复列出` })
    }
    seen.add(member.value)
    checkName(member, subject, at, issues)
  })
}

function checkEquality(value: Node, path: JSONPath, issues: IssueList): void {
  const sides = value.type === 'array' ? (value.children ?? []) : []
  const subject = sides.map(contextKeyOf).find((key) => key !== undefined)
  if (subject === undefined) return
  sides.forEach((side, index) => {
    if (side.type === 'string') checkName(side, subject, [...path, index], issues)
  })
}

/** A name that no caller has: ids come from tokens and paths, without blanks or commas. */
function checkName(member: Node, subject: string, path: JSONPath, issues: IssueList): void {
  const name: unknown = member.value
  const suspect = (en: string, zh: string): void => issues.suspect(member.offset, path, { en, 'zh-CN': zh })
  if (typeof name !== 'string') {
    const text = JSON.stringify(String(name))
    suspect(
      `${JSON.stringify(name)} is not a string, and every ${subject} is one; did you mean ${text}?`,
      `${JSON.stringify(name)} 不是字符串，而 ${subject} 都是字符串；是否应为 ${text}？`,
    )
    return
  }
  const parts = partsOf(name)
  // The subject of a token may be a person's name.
  const isPlain = subject !== 'userId'
  if (parts.length === 0) suspect(`no ${subject} is empty; it can go`, `${subject} 不会为空，此项可删除`)
  else if (isPlain && /[,;]/.test(name))
    suspect(
      `${JSON.stringify(name)} is one ${subject} that contains the separators; did you mean ${quoted(parts)}?`,
      `${JSON.stringify(name)} 是含分隔符的单个 ${subject}；是否应为 ${quoted(parts)}？`,
    )
  else if (name !== name.trim())
    suspect(
      `no ${subject} starts or ends with a space; did you mean ${JSON.stringify(name.trim())}?`,
      `${subject} 首尾不含空格；是否应为 ${JSON.stringify(name.trim())}？`,
    )
  else if (isPlain && /\s/.test(name))
    suspect(
      `no ${subject} contains a space; did you mean ${quoted(parts)}?`,
      `${subject} 不含空格；是否应为 ${quoted(parts)}？`,
    )
}

/** The name a `var` asks for; `undefined` where it is worked out, or is the place in a list. */
function nameIn(value: Node): string | undefined {
  const name = value.type === 'array' ? value.children?.[0] : value
  return name?.type === 'string' ? String(name.value) : undefined
}

/** The key of the caller's context that this node is, where it is one. */
function contextKeyOf(node: Node): string | undefined {
  const [operator] = propertiesOf(node)
  const name = operator?.key === 'var' ? nameIn(operator.value) : undefined
  return name !== undefined && CONTEXT_KEYS.has(name) ? name : undefined
}

const partsOf = (text: string): string[] => text.split(/[\s,;]+/).filter((part) => part !== '')
const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ')
const listOf = (text: string): string => `[${quoted(partsOf(text))}]`
