/**
 * What a `Retry-After` header says, in ms: seconds or an HTTP date. Undefined if it is missing or says nothing.
 * @param wallMs now, since the epoch
 */
export function retryAfterMs(header: string | undefined, wallMs: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d{1,9}(?:\.\d{1,6})?$/.test(text)) return Math.ceil(Number(text) * 1000)
  // A date names its month: what else `Date` would take for one is no such header.
  if (!/[A-Za-z]{3}/.test(text)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - wallMs)
}
