import { createHash } from 'node:crypto'
import { isList, isObject, type Json, type JsonObject } from './override-flag.js'

/** hex digits kept of each SHA-256: it finds edits, it keeps nobody out */
const DIGITS = 12

/** JSON with sorted keys and no blanks: the same for any formatting of the same value. */
export function canonicalJson(value: Json): string {
  if (!isList(value) && !isObject(value)) return JSON.stringify(value)
  let members = ''
  if (isList(value)) {
    for (const member of value) members += `${members === '' ? '' : ','}${canonicalJson(member)}`
    return `[${members}]`
  }
  for (const key of Object.keys(value).sort())
    members += `${members === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`
  return `{${members}}`
}

/**
 * `<rule>-<flag>`: the first half over what decides anything (all but metadata), the second over the whole flag without
 * `metadata.checksum` itself. So an edit of a text is told from an edit of whom the flag is on for.
 */
export function flagChecksum(flag: JsonObject): string {
  const { metadata, ...rule } = flag
  const { checksum: _, ...rest } = isObject(metadata) ? metadata : {}
  return `${digest(rule)}-${digest({ ...rule, metadata: rest })}`
}

/** Whether both were made over flags that decide the same. */
export function sameRule(checksum: string, other: string): boolean {
  const [rule] = checksum.split('-')
  return rule !== undefined && rule === other.split('-')[0]
}

function digest(value: Json): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, DIGITS)
}
