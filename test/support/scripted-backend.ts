import type { BackendEvent, ChatBackend, ExecutionCall, Turn } from '../../src/execution/backend.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'
import { pushed } from './pushed.js'

type Script = (turn: Turn, call: ExecutionCall) => AsyncGenerator<readonly BackendEvent[], void, undefined>

/** A backend that does what the script says, and remembers the turns it got. */
export function scripted(mode: ExecutionMode, script: Script): ChatBackend & { readonly turns: Turn[] } {
  const turns: Turn[] = []
  return {
    mode,
    turns,
    execute(turn, call, sink) {
      turns.push(turn)
      return pushed(script(turn, call), call.signal, sink)
    },
  }
}

export const text = (content: string): BackendEvent => ({ type: 'text', data: { content } })

/** Answers with the pieces, one batch each. */
export function answering(mode: ExecutionMode, ...pieces: string[]) {
  return scripted(mode, async function* (_turn, call) {
    call.onConnected()
    call.onHeaders()
    for (const piece of pieces) yield [text(piece)]
    yield [{ type: 'usage', data: { tokens: 7, estimated: false } }]
  })
}

/** Answers with the pieces; the message `for ever` then waits until its turn is stopped. */
export function answeringOrWaiting(mode: ExecutionMode, ...pieces: string[]) {
  return scripted(mode, async function* (turn, call) {
    call.onConnected()
    for (const piece of pieces) yield [text(piece)]
    if (turn.message === 'for ever') await aborted(call.signal)
  })
}

/** Sends the pieces and then nothing until it is aborted. */
export function hanging(mode: ExecutionMode, ...pieces: string[]) {
  return scripted(mode, async function* (_turn, call) {
    call.onConnected()
    call.onHeaders()
    for (const piece of pieces) yield [text(piece)]
    await aborted(call.signal)
  })
}

export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
