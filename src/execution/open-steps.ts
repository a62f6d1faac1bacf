import type { MessageBody } from '../protocol/events.js'
import type { BackendEvent } from './backend.js'

/** Of each kind; what comes beyond stays open. */
const MOST = 1000
/** The `error` of a call that has no result of its own. */
const INTERRUPTED = 'interrupted'

/** The plan steps and calls the client still sees as open, in the order they came. */
export class OpenSteps {
  /** made with the first plan: most answers have none */
  #titles: Map<string, string> | undefined
  /** results that would close the calls; of equal calls the oldest is answered first */
  readonly #calls: MessageBody[] = []

  see(event: BackendEvent): void {
    switch (event.type) {
      case 'plan':
        this.#titles?.clear()
        for (const step of event.data.steps) this.#set(step.id, step.title, step.status)
        return
      case 'plan_step':
        this.#set(event.data.stepId, event.data.title, event.data.status)
        return
      case 'tool_call':
      case 'skill_call':
      case 'mcp_call':
        if (this.#calls.length < MOST) this.#calls.push(closingOf(event))
        return
      case 'tool_result':
      case 'skill_result':
      case 'mcp_result':
        this.#answered(event)
        return
      default:
    }
  }

  /** Events that close them, so that nothing of a runtime that failed or was stopped stays open on the client's screen. */
  closing(): readonly MessageBody[] {
    const steps = Array.from(
      this.#titles ?? [],
      ([stepId, title]): MessageBody => ({ type: 'plan_step', data: { stepId, title, status: 'skipped' } }),
    )
    return [...this.#calls, ...steps]
  }

  #set(id: string, title: string, status: string): void {
    if (status !== 'pending' && status !== 'running') {
      this.#titles?.delete(id)
      return
    }
    this.#titles ??= new Map()
    if (this.#titles.size < MOST || this.#titles.has(id)) this.#titles.set(id, title)
  }

  #answered(result: MessageBody): void {
    const at = this.#calls.findIndex((open) => nameOf(open) === nameOf(result))
    if (at >= 0) this.#calls.splice(at, 1)
  }
}

type Call = Extract<MessageBody, { type: 'tool_call' | 'skill_call' | 'mcp_call' }>

function closingOf(call: Call): MessageBody {
  const failed = { result: null, success: false, error: INTERRUPTED }
  switch (call.type) {
    case 'tool_call':
      return { type: 'tool_result', data: { toolName: call.data.toolName, ...failed } }
    case 'skill_call': {
      const { skillId, skillName } = call.data
      return { type: 'skill_result', data: { skillId, skillName, ...failed } }
    }
    case 'mcp_call': {
      const { serverId, toolName } = call.data
      return { type: 'mcp_result', data: { serverId, toolName, ...failed } }
    }
  }
}

function nameOf(result: MessageBody): string | undefined {
  switch (result.type) {
    case 'tool_result':
      return `tool ${result.data.toolName}`
    case 'skill_result':
      return `skill ${result.data.skillId}`
    case 'mcp_result':
      return `mcp ${result.data.serverId} ${result.data.toolName}`
    default:
      return undefined
  }
}
