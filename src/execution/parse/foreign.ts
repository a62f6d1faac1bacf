import { withoutBareNumbers } from './python-json.js'

/** Small guards for data that is not ours; hand-written, since they run on every token. */

export type Foreign = Readonly<Record<string, unknown>>

export function isForeign(value: unknown): value is Foreign {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The JSON object in the text, or undefined. */
export function parseObject(text: string): Foreign | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isForeign(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** As `parseObject`, of text that Python wrote: `NaN` and the infinities are read as `null`. */
export function parsePythonObject(text: string): Foreign | undefined {
  const parsed = parseObject(text)
  if (parsed !== undefined) return parsed
  const mended = withoutBareNumbers(text)
  return mended === undefined ? undefined : parseObject(mended)
}

/** A code, an id or a name that may go into logs and to clients: visible ASCII, short; anything else is dropped. */
export function token(value: unknown, most = 128): string | undefined {
  const text = typeof value === 'number' ? String(value) : value
  return typeof text === 'string' && text.length <= most && /^[!-~]+$/.test(text) ? text : undefined
}

/** Codes that name a time-out: `TIMEOUT`, `LLM_TIMED_OUT`, `deadline_exceeded`. */
export function namesTimeout(code: string | undefined): boolean {
  return code !== undefined && /time[-_ ]?d?[-_ ]?out|deadline/i.test(code)
}
