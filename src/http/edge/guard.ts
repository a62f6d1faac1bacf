import type { z } from 'zod'
import { schemaFault } from '../../core/json/schema-fault.js'
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
  return [line(field, schemaFault(issue))]
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
