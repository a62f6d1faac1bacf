import type { Foreign } from '../parse/foreign.js'

/** Characters of JSON a result may have; clients and buffers are not made for more. */
export const MAX_RESULT = 1_048_576

/** The data of a large frame, its `result` cut to text and marked where it is beyond the bound. */
export function withTruncatedResult(data: Foreign): Foreign {
  const { result } = data
  if (result === undefined) return data
  const text = typeof result === 'string' ? result : JSON.stringify(result)
  if (text.length <= MAX_RESULT) return data
  return { ...data, result: text.slice(0, MAX_RESULT).replace(/[\ud800-\udbff]$/, ''), truncated: true }
}
