import type { z } from 'zod'

/** One sentence, or a part of one, in both languages. */
export type Bilingual = Readonly<Record<'zh-CN' | 'en', string>>

const TYPE_NAMES: Readonly<Record<string, Bilingual>> = {
  string: { 'zh-CN': '字符串', en: 'a string' },
  number: { 'zh-CN': '数字', en: 'a number' },
  int: { 'zh-CN': '整数', en: 'a whole number' },
  boolean: { 'zh-CN': ' true 或 false', en: 'true or false' },
  array: { 'zh-CN': '数组', en: 'an array' },
  object: { 'zh-CN': '对象', en: 'an object' },
}

/**
 * What is wrong with a value, to stand behind the name of its field. Never the value: it may be content. Whether a value is missing can
 * be told only if the schema was asked with `reportInput`.
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
    case 'custom':
      return { 'zh-CN': chineseOf(issue), en: issue.message }
    default:
      return { 'zh-CN': '无效', en: 'is not valid' }
  }
}

/** A rule of a schema's own has its Chinese text in `params`, as `{error: 'must rise', params: {'zh-CN': '必须递增'}}`. */
function chineseOf({ params, message }: z.core.$ZodIssueCustom): string {
  const text: unknown = params?.['zh-CN']
  return typeof text === 'string' ? text : message
}

function wrongType(issue: z.core.$ZodIssueInvalidType): Bilingual {
  if (issue.input === undefined) return { 'zh-CN': '缺失', en: 'is missing' }
  const type = TYPE_NAMES[issue.expected] ?? {
    'zh-CN': issue.expected,
    en: `a value of type ${issue.expected}`,
  }
  return { 'zh-CN': `必须是${type['zh-CN']}`, en: `must be ${type.en}` }
}

function notOneOf({ values }: z.core.$ZodIssueInvalidValue): Bilingual {
  const allowed = values.map((value) => JSON.stringify(value) ?? String(value)).join(', ')
  return values.length === 1
    ? { 'zh-CN': `必须是 ${allowed}`, en: `must be ${allowed}` }
    : { 'zh-CN': `必须是以下值之一：${allowed}`, en: `must be one of ${allowed}` }
}

function tooBig({ origin, maximum, inclusive }: z.core.$ZodIssueTooBig): Bilingual {
  switch (origin) {
    case 'string':
      return { 'zh-CN': `过长，最多 ${maximum} 个字符`, en: `is too long, at most ${maximum} characters` }
    case 'array':
      return { 'zh-CN': `过多，最多 ${maximum} 项`, en: `has too many entries, at most ${maximum}` }
    default:
      return inclusive === false
        ? { 'zh-CN': `过大，必须小于 ${maximum}`, en: `is too large, it must be less than ${maximum}` }
        : { 'zh-CN': `过大，最大为 ${maximum}`, en: `is too large, at most ${maximum}` }
  }
}

function tooSmall({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): Bilingual {
  if (origin === 'string' || origin === 'array') return { 'zh-CN': '不能为空', en: 'must not be empty' }
  return inclusive === false
    ? { 'zh-CN': `过小，必须大于 ${minimum}`, en: `is too small, it must be greater than ${minimum}` }
    : { 'zh-CN': `过小，最小为 ${minimum}`, en: `is too small, at least ${minimum}` }
}
