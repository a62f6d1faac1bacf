import { answerPieces } from './answers.js'
import type { Faults } from './faults.js'
import type { Frame } from './faulty-stream.js'
import type { ExecuteBody } from './runtime-body.js'

export const runtimeDone: Frame = { kind: 'done', data: '[DONE]' }

const SOFT_FAILURE =
  'I encountered an error: Planning failed: RetryError[<Future state=finished raised APIConnectionError>]. Please try again.'

/** One frame's payload, keys in the runtime's order. */
export function runtimeFrame(event: string, data: unknown): string {
  return JSON.stringify({ event, data, timestamp: new Date().toISOString() })
}

/** The whole answer of the simulated runtime; a tool turn has plan, step, tool, skill, mcp and file events between. */
export function* runtimeFrames(body: ExecuteBody, faults: Faults): Generator<Frame> {
  yield event('thinking', { content: 'Reading the message.', stage: 'analysis' })
  yield event('thinking', { content: 'Writing the answer.', stage: 'generation' })
  if (faults.nan === true) yield { kind: 'event', data: NAN_CALL }
  if (faults.largeResult !== undefined) yield* largeCall(faults.largeResult)
  if (faults.softFailure === undefined && usesTools(body) && !keepsFence(body, faults))
    yield* toolFrames(body)
  const pieces = piecesOf(body, faults)
  for (const content of pieces) yield { kind: 'text', data: runtimeFrame('text_chunk', { content }) }
  if (faults.noTerminal === true) return
  if (faults.endless !== true) yield event('execution_complete', { final_response: pieces.join('') })
  yield runtimeDone
}

const NAN_CALL =
  '{"event": "tool_call_start", "data": {"tool_name": "pay", "arguments": {"amount": NaN, "most": Infinity, "note": "NaN"}}, "timestamp": ""}'

function* largeCall(characters: number): Generator<Frame> {
  yield event('tool_call_start', { tool_name: 'export', arguments: {} })
  const result = { rows: 'x'.repeat(characters) }
  yield event('tool_call_complete', { tool_name: 'export', result, success: true, error: null, duration: 12 })
}

/** The real one knows no fence and runs its tools in a shadow too. */
export function keepsFence({ metadata }: ExecuteBody, faults: Faults): boolean {
  return faults.honourShadow === true && metadata?.shadow === true
}

function piecesOf(body: ExecuteBody, { softFailure, ...faults }: Faults): string[] {
  if (softFailure === true) return [SOFT_FAILURE]
  if (typeof softFailure === 'string') return [softFailure]
  if (softFailure !== undefined) return [softFailure.after, softFailure.text]
  const asked = (body.history_messages ?? []).filter((message) => message.role === 'user').length
  return answerPieces('runtime', questionOf(body), Math.max(1, asked), faults)
}

/** As the real one: with a history its last message is answered, whatever `user_message` says. */
function questionOf({ history_messages, user_message }: ExecuteBody): string {
  return history_messages?.at(-1)?.content ?? user_message
}

function usesTools(body: ExecuteBody): boolean {
  return body.agent_id === 'tools' || /tool|工具/i.test(questionOf(body))
}

function* toolFrames(body: ExecuteBody): Generator<Frame> {
  const steps = [
    { id: 'step-1', title: 'Search' },
    { id: 'step-2', title: 'Summarise' },
  ]
  const result = { success: true, error: null, duration: 12 }
  const args = { query: questionOf(body) }
  yield event('plan_created', { steps })
  yield event('plan_step_start', { step_id: 'step-1', title: 'Search', tool: 'search', params: args })
  yield event('tool_call_start', { tool_name: 'search', arguments: args })
  yield event('tool_call_complete', { tool_name: 'search', result: { hits: 3 }, ...result })
  yield event('plan_step_complete', { step_id: 'step-1', title: 'Search', result: '3 hits', duration_ms: 15 })
  yield event('plan_step_start', { step_id: 'step-2', title: 'Summarise' })
  const skill = { skill_id: 'summary', skill_name: 'Summary' }
  yield event('skill_call_start', { ...skill, arguments: { hits: 3 } })
  yield event('skill_call_complete', { ...skill, result: 'done', ...result })
  const mcp = { server_id: 'files', tool_name: 'write' }
  yield event('mcp_call_start', { ...mcp, arguments: { name: 'summary.md' } })
  yield event('mcp_call_complete', { ...mcp, result: 'written', ...result })
  yield event('file_created', {
    filename: 'summary.md',
    mime_type: 'text/markdown',
    size: 42,
    url: `/api/v1/files/${encodeURIComponent(body.session_id)}/summary.md`,
  })
  yield event('plan_step_complete', {
    step_id: 'step-2',
    title: 'Summarise',
    result: 'summary.md',
    duration_ms: 20,
  })
}

function event(name: string, data: unknown): Frame {
  return { kind: 'event', data: runtimeFrame(name, data) }
}
