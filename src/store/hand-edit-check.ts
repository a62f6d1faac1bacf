import { type FlagShape, readFlagShape } from './flag-shape.js'
import { booleanFlag, flagdRefusal } from './flagd-check.js'
import { type HandEdit, NEUTRAL } from './override.js'
import { OVERRIDE_FLAG_KEY } from './override-flag.js'
import { renderOverride } from './override-rendering.js'
import { lineAt } from './strict-json.js'

/** Somebody, to see that a targeting yields anything at all. */
const ANYBODY = { orgId: 'org', userId: 'user', agentId: 'agent', sessionId: 'session' }

/** Why a person's flag cannot be taken over, with the line: no provider would take it, or it answers nobody. */
export function handEditFault(text: string, shape: FlagShape, edit: HandEdit): string | undefined {
  const refusal = flagdRefusal(text)
  if (refusal !== undefined) {
    const path = refusal.pointer.split('/').slice(1).map(pointerPart)
    return `line ${lineAt(text, path)}: flagd refuses it: ${refusal.message}`
  }
  if (!shape.enabled || shape.targeting === undefined || (answers(text) && isUsable(edit))) return undefined
  const line = lineAt(text, ['flags', OVERRIDE_FLAG_KEY, 'targeting'])
  return `line ${line}: the targeting fails when it is evaluated, or yields no variant`
}

function answers(text: string): boolean {
  return booleanFlag(text, OVERRIDE_FLAG_KEY)(ANYBODY) !== undefined
}

/** Whether a document of ours with that layer works: in it a rule stands some levels deeper, without its references. */
function isUsable(edit: HandEdit): boolean {
  if (edit.kind === 'reset') return true
  const text = renderOverride({ ...NEUTRAL, manual: edit.manual })
  // a reference left over may hide behind an operand that is never looked at here
  if (text.includes('"$ref":')) return false
  return readFlagShape(text).kind === 'shape' && flagdRefusal(text) === undefined && answers(text)
}

function pointerPart(part: string): string | number {
  const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
  return /^\d+$/.test(name) ? Number(name) : name
}
