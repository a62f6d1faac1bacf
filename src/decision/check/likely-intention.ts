import type { JSONPath } from 'jsonc-parser'
import type { z } from 'zod'
import type { Bilingual } from '../../core/bilingual.js'
import { closestName } from '../../core/closest-name.js'

/** What a refused value was probably meant to be, as the end of a sentence; empty when unknown. */
export function likelyIntention(
  issue: z.core.$ZodIssue,
  whole: unknown,
  fields: readonly string[],
): Bilingual {
  if (issue.code === 'unrecognized_keys') return meantBy(closestName(issue.keys[0] ?? '', fields))
  const value = valueAt(whole, issue.path)
  switch (issue.code) {
    case 'invalid_type':
      return meant(
        typeof value === 'string' ? unquoted(value, issue.expected) : wholeNumber(value, issue.expected),
      )
    case 'too_big':
      return meant(issue.maximum === 1 ? shareOf(value) : undefined)
    case 'invalid_value':
      return meantBy(typeof value === 'string' ? oneOf(value, issue.values.map(String)) : undefined)
    default:
      return NOTHING
  }
}

/** `; did you mean "name"?` */
export function meantBy(name: string | undefined): Bilingual {
  return meant(name === undefined ? undefined : same(JSON.stringify(name)))
}

const NOTHING: Bilingual = { en: '', 'zh-CN': '' }
const same = (text: string): Bilingual => ({ en: text, 'zh-CN': ` ${text}` })

const meant = (text: Bilingual | undefined): Bilingual =>
  text === undefined ? NOTHING : { en: `; did you mean ${text.en}?`, 'zh-CN': `；是否应为${text['zh-CN']}？` }

function valueAt(whole: unknown, path: readonly PropertyKey[]): unknown {
  let value = whole
  for (const part of path)
    value = typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
  return value
}

function unquoted(text: string, expected: string): Bilingual | undefined {
  const isNumber =
    (expected === 'number' || expected === 'int') && text.trim() !== '' && Number.isFinite(Number(text))
  const isBoolean = expected === 'boolean' && /^(?:true|false)$/.test(text)
  return isNumber || isBoolean
    ? { en: `${text.trim()} without quotes`, 'zh-CN': `不带引号的 ${text.trim()}` }
    : undefined
}

function wholeNumber(value: unknown, expected: string): Bilingual | undefined {
  return expected === 'int' && typeof value === 'number' ? same(String(Math.round(value))) : undefined
}

/** Rates are shares of 1: a larger number is probably meant as a percentage. */
function shareOf(value: unknown): Bilingual | undefined {
  return typeof value === 'number' && value <= 100
    ? { en: `${value / 100} for ${value}%`, 'zh-CN': ` ${value / 100}（即 ${value}%）` }
    : undefined
}

function oneOf(text: string, values: readonly string[]): string | undefined {
  return (
    closestName(text, values) ?? values.find((value) => text !== '' && value.includes(text.toLowerCase()))
  )
}

/** The names beside a field, in what the schema made of the value. */
export function siblingsOf(parsed: unknown, path: JSONPath): string[] {
  const parent = valueAt(parsed, path.slice(0, -1))
  return typeof parent === 'object' && parent !== null ? Object.keys(parent) : []
}
