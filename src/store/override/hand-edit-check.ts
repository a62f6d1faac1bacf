import { objectFormText } from '../../core/json/flag-list.js'
import { OVERRIDE_FLAG_KEY } from '../../protocol/fallback.js'
import { type FlagShape, readFlagShape } from './flag-shape.js'
import { booleanFlag, flagdRefusal } from './flagd-check.js'
import { type HandEdit, NEUTRAL } from './override.js'
import { renderOverride } from './override-rendering.js'
import { lineAt } from './strict-json.js'

/** Somebody, to see that a targeting yields anything at all. */
const ANYBODY = { orgId: 'org', userId: 'user', agentId: 'agent', sessionId: 'session' }

/** Why a person's flag cannot be taken over, with the line: no provider would take it, or it answers nobody. */
export function handEditFault(text: string, shape: FlagShape, edit: HandEdit): string | undefined {
  const targetingLine = (): string => `line ${lineAt(text, ['flags', OVERRIDE_FLAG_KEY, 'targeting'])}`
  // first: what doubles by its references keeps flagd's check busy for seconds
  if (hasReferences(edit)) return `${targetingLine()}: its references name nothing, or grow without end`
  const asObject = objectFormText(text)
  const refusal = flagdRefusal(asObject)
  if (refusal !== undefined) {
    const path = refusal.pointer.split('/').slice(1).map(pointerPart)
    return `line ${lineAt(text, path)}: flagd refuses it: ${refusal.message}`
  }
  if (!shape.enabled || shape.targeting === undefined || (answers(asObject) && isUsable(edit)))
    return undefined
  return `${targetingLine()}: the targeting fails when it is evaluated, or yields no variant`
}

function answers(text: string): boolean {
  try {
    return booleanFlag(text, OVERRIDE_FLAG_KEY)(ANYBODY) !== undefined
  } catch {
    return false
  }
}

/** Whether a document of ours with that layer works: in it a rule stands some levels deeper, without its references. */
function isUsable(edit: HandEdit): boolean {
  if (edit.kind === 'reset') return true
  const text = renderOverride({ ...NEUTRAL, manual: edit.manual })
  return readFlagShape(text).kind === 'shape' && flagdRefusal(text) === undefined && answers(text)
}

/** One left over may also hide behind an operand that nobody looks at here: it would fail later. */
function hasReferences(edit: HandEdit): boolean {
  // a quote within a text is escaped: this can only be a key
  return edit.kind === 'manual' && JSON.stringify(edit.manual).includes('"$ref":')
}

function pointerPart(part: string): string | number {
  const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
  return /^\d+$/.test(name) ? Number(name) : name
}
