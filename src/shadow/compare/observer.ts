import { TokenMeter } from '../../execution/estimate-tokens.js'
import type { Outcome } from '../../execution/outcome.js'
import type { MessageBody } from '../../protocol/events.js'
import type { Observation } from './observation.js'

/** UTF-16 units of text kept (64 Ki) */
export const MAX_TEXT = 65_536
/** steps, and calls, kept each */
export const MAX_ITEMS = 500
/** UTF-16 units of one title or name */
const MAX_NAME = 200

/**
 * Watches one side of a shadow run, batch by batch. What it holds is bounded whatever it sees: 64 Ki of text, 500 steps and
 * 500 calls; beyond, it only counts.
 */
export class Observer {
  #text = ''
  /** something was left out */
  #full = false
  #characters = 0
  #steps: string[] = []
  #stepIds = new Set<string>()
  readonly #calls: string[] = []
  readonly #meter = new TokenMeter()
  #events = 0
  #files = 0

  /** everything seen so far, of any type */
  get events(): number {
    return this.#events
  }

  /** UTF-16 units of text seen so far, kept or not */
  get characters(): number {
    return this.#characters
  }

  /** files the backend made */
  get files(): number {
    return this.#files
  }

  get calls(): readonly string[] {
    return this.#calls
  }

  /** estimated, of the text alone */
  get answerTokens(): number {
    return this.#meter.tokens
  }

  saw(batch: readonly MessageBody[]): void {
    this.#events += batch.length
    for (const event of batch) this.#see(event)
  }

  /** @param tokens in place of the outcome's own count */
  observation(outcome: Outcome, tokens: number | undefined = outcome.tokens): Observation {
    return {
      mode: outcome.mode,
      result: outcome.result,
      ...(outcome.result === 'ok' ? {} : { code: outcome.code }),
      latencyMs: outcome.latencyMs,
      ...(outcome.firstContentMs === undefined ? {} : { firstContentMs: outcome.firstContentMs }),
      ...(tokens === undefined ? {} : { tokens }),
      text: this.#text,
      characters: this.#characters,
      steps: this.#steps,
      calls: this.#calls,
    }
  }

  #see(event: MessageBody): void {
    switch (event.type) {
      case 'text':
        this.#addText(event.data.content)
        return
      case 'plan':
        this.#replan(event.data.steps)
        return
      case 'plan_step':
        this.#addStep(event.data.stepId, event.data.title)
        return
      case 'tool_call':
        this.#addCall(`tool:${named(event.data.toolName)}`)
        return
      case 'skill_call':
        this.#addCall(`skill:${named(event.data.skillName)}`)
        return
      case 'mcp_call':
        this.#addCall(`mcp:${named(event.data.serverId)}/${named(event.data.toolName)}`)
        return
      case 'file':
        this.#files += 1
        return
      case 'thinking':
      case 'tool_result':
      case 'skill_result':
      case 'mcp_result':
        return
    }
  }

  #addText(content: string): void {
    this.#meter.add(content)
    this.#characters += content.length
    const room = MAX_TEXT - this.#text.length
    if (!this.#full) this.#text += content.length <= room ? content : cut(content, room)
    this.#full ||= content.length > room
  }

  /** A new plan takes the place of the old one. */
  #replan(steps: readonly { readonly id: string; readonly title: string }[]): void {
    this.#steps = []
    this.#stepIds = new Set()
    for (const { id, title } of steps.slice(0, MAX_ITEMS)) this.#addStep(id, title)
  }

  /** Steps that no plan named are part of it all the same. */
  #addStep(id: string, title: string): void {
    if (this.#steps.length >= MAX_ITEMS) return
    const known = named(id)
    if (this.#stepIds.has(known)) return
    this.#stepIds.add(known)
    this.#steps.push(named(title))
  }

  #addCall(call: string): void {
    if (this.#calls.length < MAX_ITEMS) this.#calls.push(call)
  }
}

const named = (name: string): string => (name.length <= MAX_NAME ? name : cut(name, MAX_NAME))

/** Never in the middle of a character beyond U+FFFF. */
function cut(text: string, units: number): string {
  const last = text.charCodeAt(units - 1)
  const isHalf = last >= 0xd800 && last <= 0xdbff
  return text.slice(0, isHalf ? units - 1 : units)
}
