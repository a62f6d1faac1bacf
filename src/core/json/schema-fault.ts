import type { z } from 'zod'
import type { Bilingual } from '../bilingual.js'

const NOT_VALID: Bilingual = { 'zh-CN': '无效', en: 'is not valid' }
const MISSING: Bilingual = { 'zh-CN': '缺失', en: 'is missing' }

const TYPE_NAMES: Readonly<Record<string, Bilingual>> = {
  string: { 'zh-CN': '字符串', en: 'a string' },
  number: { 'zh-CN': '数字', en: 'a number' },
  int: { 'zh-CN': '整数', en: 'a whole number' },
  boolean: { 'zh-CN': ' true 或 false', en: 'true or false' },
  array: { 'zh-CN': '数组', en: 'an array' },
  object: { 'zh-CN': '对象', en: 'an object' },
  record: { 'zh-CN': '对象', en: 'an object' },
}

/**
 * What is wrong with a value, to stand behind the name of its field: what is allowed, and what came: its type, its length, or the number
 * where one is expected. Never another value: it may be content or a secret. What came, and whether a value is missing, can be told only if
 * the schema was asked with `reportInput`.
 */
export function schemaFault(issue: z.core.$ZodIssue): Bilingual {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue)
    case 'too_big':
      return tooBig(issue)
    case 'too_small':
      return tooSmall(issue)
    case 'invalid_value':
      return notOneOf(issue)
    case 'unrecognized_keys':
      return unknownFields(issue)
    case 'invalid_union':
      return noneOfTypes(issue)
    case 'custom':
      return { 'zh-CN': chineseOf(issue), en: issue.message }
    default:
      return NOT_VALID
  }
}

/** A rule of a schema's own has its Chinese text in `params`, as `{error: 'must rise', params: {'zh-CN': '必须递增'}}`. */
function chineseOf({ params, message }: z.core.$ZodIssueCustom): string {
  const text: unknown = params?.['zh-CN']
  return typeof text === 'string' ? text : message
}

function wrongType(issue: z.core.$ZodIssueInvalidType): Bilingual {
  if (issue.input === undefined) return MISSING
  const type = typeName(issue.expected)
  const must = { 'zh-CN': `必须是${type['zh-CN']}`, en: `must be ${type.en}` }
  return issue.expected === 'int' && Number.isFinite(issue.input)
    ? butIs(must, issue.input)
    : butCame(must, cameOf(issue.input))
}

const typeName = (expected: string): Bilingual =>
  TYPE_NAMES[expected] ?? { 'zh-CN': expected, en: `a value of type ${expected}` }

/** `must be a string or an array`, where the value is of none of the types; which form of a right type was meant is not known. */
function noneOfTypes({ errors, input }: z.core.$ZodIssueInvalidUnion): Bilingual {
  const types = errors.flatMap(([first]) =>
    first?.code === 'invalid_type' && first.path.length === 0 ? [first.expected] : [],
  )
  if (types.length === 0 || types.length < errors.length) return NOT_VALID
  const names = [...new Set(types)].map(typeName)
  const [zh, en] = [names.map((name) => name['zh-CN']).join('或'), names.map((name) => name.en).join(' or ')]
  return butCame({ 'zh-CN': `必须是${zh}`, en: `must be ${en}` }, cameOf(input))
}

function notOneOf(issue: z.core.$ZodIssueInvalidValue): Bilingual {
  const { values, input } = issue
  if ('input' in issue && input === undefined) return MISSING
  const allowed = values.map((value) => JSON.stringify(value) ?? String(value)).join(', ')
  const must =
    values.length === 1
      ? { 'zh-CN': `必须是 ${allowed}`, en: `must be ${allowed}` }
      : { 'zh-CN': `必须是以下值之一：${allowed}`, en: `must be one of ${allowed}` }
  return typeof input === 'string' ? must : butCame(must, cameOf(input))
}

function unknownFields({ keys }: z.core.$ZodIssueUnrecognizedKeys): Bilingual {
  const names = keys.map((key) => JSON.stringify(key)).join(', ')
  const en = keys.length === 1 ? 'a field that is not known' : 'fields that are not known'
  return { 'zh-CN': `含有未知字段：${names}`, en: `has ${en}: ${names}` }
}

function butCame(must: Bilingual, came: Bilingual | undefined): Bilingual {
  if (came === undefined) return must
  return { 'zh-CN': `${must['zh-CN']}，而不是${came['zh-CN']}`, en: `${must.en}, not ${came.en}` }
}

/** By its type alone: a number where a text belongs may be content too. Undefined where there is nothing to say. */
function cameOf(input: unknown): Bilingual | undefined {
  if (typeof input === 'number' && !Number.isFinite(input)) return undefined
  if (input === null) return { 'zh-CN': ' null', en: 'null' }
  if (typeof input === 'boolean') return { 'zh-CN': '布尔值', en: 'a boolean' }
  return TYPE_NAMES[Array.isArray(input) ? 'array' : typeof input]
}

const lengthOf = (input: unknown): number | undefined =>
  typeof input === 'string' || Array.isArray(input) ? input.length : undefined

function tooBig({ origin, maximum, inclusive, input }: z.core.$ZodIssueTooBig): Bilingual {
  if (origin === 'string' || origin === 'array') return wrongLength('most', origin, Number(maximum), input)
  return butIs(
    inclusive === false
      ? { 'zh-CN': `必须小于 ${short(maximum)}`, en: `must be less than ${short(maximum)}` }
      : { 'zh-CN': `不能大于 ${short(maximum)}`, en: `must be at most ${short(maximum)}` },
    input,
  )
}

function tooSmall({ origin, minimum, inclusive, input }: z.core.$ZodIssueTooSmall): Bilingual {
  if (origin === 'string' || origin === 'array') {
    if (Number(minimum) <= 1) return { 'zh-CN': '不能为空', en: 'must not be empty' }
    return wrongLength('least', origin, Number(minimum), input)
  }
  return butIs(
    inclusive === false
      ? { 'zh-CN': `必须大于 ${short(minimum)}`, en: `must be greater than ${short(minimum)}` }
      : { 'zh-CN': `不能小于 ${short(minimum)}`, en: `must be at least ${short(minimum)}` },
    input,
  )
}

/** `0.0166667` for a sixtieth. */
const short = (bound: number | bigint): number => {
  const value = Number(bound)
  return Number.isInteger(value) ? value : Number(value.toPrecision(6))
}

function wrongLength(bound: 'least' | 'most', origin: string, allowed: number, input: unknown): Bilingual {
  const parts =
    origin === 'string'
      ? `${allowed} ${allowed === 1 ? 'character' : 'characters'}`
      : `${allowed} ${allowed === 1 ? 'entry' : 'entries'}`
  const unit = origin === 'string' ? '个' : '项'
  const must = {
    'zh-CN': `${bound === 'most' ? '最多' : '至少'} ${allowed} ${origin === 'string' ? '个字符' : unit}`,
    en: `must have at ${bound} ${parts}`,
  }
  const length = lengthOf(input)
  if (length === undefined) return must
  return { 'zh-CN': `${must['zh-CN']}，现有 ${length} ${unit}`, en: `${must.en}, not ${length}` }
}

function butIs(must: Bilingual, input: unknown): Bilingual {
  if (typeof input !== 'number') return must
  return { 'zh-CN': `${must['zh-CN']}，现为 ${input}`, en: `${must.en}, not ${input}` }
}
