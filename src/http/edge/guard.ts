import type { z } from 'zod'
import type { Sentence } from './language.js'
import { Problem } from './problems.js'

/** From foreign data to a domain type. @throws Problem 400 with one line a field */
export function guard<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value, { reportInput: true })
  if (parsed.success) return parsed.data
  throw new Problem('body_fields', { details: parsed.error.issues.flatMap(describeIssue) })
}

/** A UUID in any case, as session ids are. */
const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** The session id of a path. @throws Problem 404: what cannot be an id of ours is not there */
export function guardSessionId(parameter: string | undefined): string {
  if (parameter === undefined || !UUID.test(parameter)) throw new Problem('session_unknown')
  return parameter.toLowerCase()
}

/** The stream id of a path. @throws Problem 404 */
export function guardStreamId(parameter: string | undefined): string {
  if (parameter === undefined || !UUID.test(parameter)) throw new Problem('stream_unknown')
  return parameter.toLowerCase()
}

/** Names the field and the fault, never the value: it may be content. */
export function describeIssue(issue: z.core.$ZodIssue): Sentence[] {
  const field = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownField([field, key]))
  return [line(field, faultOf(issue))]
}

/** A field that must not be there, by the parts of its path. */
export const unknownField = (path: readonly string[]): Sentence =>
  line(path.filter((part) => part !== '').join('.'), {
    'zh-CN': '未知字段，请删除',
    en: 'is not a known field',
  })

function line(field: string, fault: Sentence): Sentence {
  if (field === '') return { 'zh-CN': `请求体${fault['zh-CN']}`, en: `The body ${fault.en}` }
  return { 'zh-CN': `${field}: ${fault['zh-CN']}`, en: `${field}: ${fault.en}` }
}

const TYPE_NAMES: Readonly<Record<string, Sentence>> = {
  string: { 'zh-CN': '字符串', en: 'a string' },
  number: { 'zh-CN': '数字', en: 'a number' },
  int: { 'zh-CN': '整数', en: 'a whole number' },
  array: { 'zh-CN': '数组', en: 'an array' },
  object: { 'zh-CN': '对象', en: 'an object' },
}

function faultOf(issue: z.core.$ZodIssue): Sentence {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue)
    case 'too_big':
      return tooBig(issue)
    case 'too_small':
      return tooSmall(issue)
    case 'invalid_value':
      return notOneOf(issue)
    case 'custom':
      return { 'zh-CN': '不能为空', en: issue.message }
    default:
      return { 'zh-CN': '无效', en: 'is not valid' }
  }
}

function wrongType(issue: z.core.$ZodIssueInvalidType): Sentence {
  if (issue.input === undefined) return { 'zh-CN': '缺失', en: 'is missing' }
  const type = TYPE_NAMES[issue.expected] ?? {
    'zh-CN': issue.expected,
    en: `a value of type ${issue.expected}`,
  }
  return { 'zh-CN': `必须是${type['zh-CN']}`, en: `must be ${type.en}` }
}

function notOneOf({ values }: z.core.$ZodIssueInvalidValue): Sentence {
  const allowed = values.map((value) => JSON.stringify(value) ?? String(value)).join(', ')
  return values.length === 1
    ? { 'zh-CN': `必须是 ${allowed}`, en: `must be ${allowed}` }
    : { 'zh-CN': `必须是以下值之一：${allowed}`, en: `must be one of ${allowed}` }
}

function tooBig({ origin, maximum }: z.core.$ZodIssueTooBig): Sentence {
  switch (origin) {
    case 'string':
      return { 'zh-CN': `过长，最多 ${maximum} 个字符`, en: `is too long, at most ${maximum} characters` }
    case 'array':
      return { 'zh-CN': `过多，最多 ${maximum} 项`, en: `has too many entries, at most ${maximum}` }
    default:
      return { 'zh-CN': `过大，最大为 ${maximum}`, en: `is too large, at most ${maximum}` }
  }
}

function tooSmall({ origin, minimum }: z.core.$ZodIssueTooSmall): Sentence {
  if (origin === 'string' || origin === 'array') return { 'zh-CN': '不能为空', en: 'must not be empty' }
  return { 'zh-CN': `过小，最小为 ${minimum}`, en: `is too small, at least ${minimum}` }
}
