import type { FinishReason } from '../../protocol/events.js'

/** `failed`: the answer did not end, it broke. */
export type FinishSaid = FinishReason | 'failed'

const SAID: ReadonlyMap<string, FinishSaid> = new Map([
  ...named('stop', 'stop', 'end_turn', 'eos', 'eos_token', 'stop_sequence'),
  ...named('length', 'length', 'max_tokens', 'model_length'),
  ...named('content_filter', 'content_filter', 'safety', 'recitation', 'prohibited_content', 'blocklist'),
  ...named('tool_calls', 'tool_calls', 'function_call'),
  ...named('refusal', 'refusal'),
  ...named('failed', 'error', 'abort', 'network_error', 'insufficient_system_resource'),
])

function named(said: FinishSaid, ...names: readonly string[]): (readonly [string, FinishSaid])[] {
  return names.map((name) => [name, said] as const)
}

/** A server's `finish_reason` in one vocabulary; undefined where it is none (`""` and `null` come with every chunk). */
export function finishSaid(reason: unknown): FinishSaid | undefined {
  if (typeof reason !== 'string' || reason === '') return undefined
  return SAID.get(reason) ?? SAID.get(reason.toLowerCase()) ?? 'other'
}
