import { isBlank } from '../core/text.js'
import type { BackendEvent } from './backend.js'

/**
 * Whether this event is the commit point: the first thing the user reads as an answer, or that the world may have felt.
 * Before it a failover is invisible, after it there is none. `thinking`, `plan`, plan steps without a tool, and
 * text nobody can see (line ends before an answer) do not commit.
 */
export function commits(event: BackendEvent): boolean {
  switch (event.type) {
    case 'text':
      return !isBlank(event.data.content)
    case 'plan_step':
      return event.data.tool !== undefined && event.data.tool !== ''
    case 'committed':
    case 'file':
    case 'tool_call':
    case 'tool_result':
    case 'skill_call':
    case 'skill_result':
    case 'mcp_call':
    case 'mcp_result':
      return true
    default:
      return false
  }
}
