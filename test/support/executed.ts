import type { BackendEvent, ChatBackend, Turn } from '../../src/execution/backend.js'
import { ExecutionError } from '../../src/execution/execution-error.js'
import { pulledAnswer } from './pulled.js'
import { type RecordedCall, sampleCall, sampleTurn } from './sample-turn.js'

export interface Executed {
  readonly events: readonly BackendEvent[]
  /** all text, joined */
  readonly text: string
  readonly error: ExecutionError | undefined
  readonly call: RecordedCall
}

/** Runs a backend to its end, as one execution would; what is no `ExecutionError` fails the test. */
export async function executed(
  backend: ChatBackend,
  turn: Turn = sampleTurn(),
  call: RecordedCall = sampleCall(),
): Promise<Executed> {
  const events: BackendEvent[] = []
  let error: ExecutionError | undefined
  try {
    for await (const batch of pulledAnswer(backend, turn, call)) events.push(...batch)
  } catch (thrown) {
    if (!(thrown instanceof ExecutionError)) throw thrown
    error = thrown
  }
  await Promise.all(call.tasks)
  const text = events.map((event) => (event.type === 'text' ? event.data.content : '')).join('')
  return { events, text, error, call }
}
