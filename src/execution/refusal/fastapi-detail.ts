import { isForeign } from '../parse/foreign.js'

const MAX_FAULTS = 5
const MAX_TEXT = 200

/** What FastAPI's `{"detail": …}` says is wrong, for the log: places and messages, never the input it quotes. */
export function fastapiDetail(body: unknown): string {
  if (!isForeign(body) || !Array.isArray(body.detail)) return ''
  return (body.detail as readonly unknown[])
    .slice(0, MAX_FAULTS)
    .map(faultText)
    .filter((text) => text !== '')
    .join('; ')
}

function faultText(fault: unknown): string {
  if (!isForeign(fault)) return ''
  const loc = Array.isArray(fault.loc) ? fault.loc.map(String).join('.') : ''
  const msg = typeof fault.msg === 'string' ? fault.msg : ''
  return [loc, msg]
    .filter((text) => text !== '')
    .join(': ')
    .slice(0, MAX_TEXT)
}
