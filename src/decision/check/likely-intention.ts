import type { JSONPath } from 'jsonc-parser'
import type { z } from 'zod'
import { closestName } from '../../core/closest-name.js'

/** What a refused value was probably meant to be, as the end of a sentence; `''` when unknown. */
export function likelyIntention(issue: z.core.$ZodIssue, whole: unknown, fields: readonly string[]): string {
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
      return ''
  }
}

/** `; did you mean "name"?` */
export function meantBy(name: string | undefined): string {
  return meant(name === undefined ? undefined : JSON.stringify(name))
}

const meant = (text: string | undefined): string => (text === undefined ? '' : `; did you mean ${text}?`)

function valueAt(whole: unknown, path: readonly PropertyKey[]): unknown {
  let value = whole
  for (const part of path)
    value = typeof value === 'object' && value !== null ? Reflect.get(value, part) : undefined
  return value
}

function unquoted(text: string, expected: string): string | undefined {
  const isNumber =
    (expected === 'number' || expected === 'int') && text.trim() !== '' && Number.isFinite(Number(text))
  const isBoolean = expected === 'boolean' && /^(?:true|false)$/.test(text)
  return isNumber || isBoolean ? `${text.trim()} without quotes` : undefined
}

function wholeNumber(value: unknown, expected: string): string | undefined {
  return expected === 'int' && typeof value === 'number' ? String(Math.round(value)) : undefined
}

/** Rates are shares of 1: a larger number is probably meant as a percentage. */
function shareOf(value: unknown): string | undefined {
  return typeof value === 'number' && value <= 100 ? `${value / 100} for ${value} %` : undefined
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
