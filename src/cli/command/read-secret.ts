import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { Interrupted } from '../text/command-error.js'
import type { Surroundings } from './invocation.js'

/** characters; a token is a request header, and those are bounded */
const MAX_LENGTH = 65_536

/** One line that a pipe brings, or a person types unseen; empty where there is none. @throws Interrupted by Ctrl-C */
export async function readSecret(
  prompt: string,
  { input, output }: Pick<Surroundings, 'input' | 'output'>,
  interrupted: AbortSignal,
): Promise<string> {
  const isTyped = input.isTTY === true
  if (isTyped) output.err(prompt)
  // As a terminal, readline itself shows what is typed: here on nothing.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output: silent, terminal: isTyped })
  let isInterrupted = false
  const close = (): void => {
    isInterrupted = true
    lines.close()
  }
  interrupted.addEventListener('abort', close)
  // While readline reads a terminal, Ctrl-C is a key and no signal.
  lines.once('SIGINT', close)
  try {
    let given = ''
    for await (const line of lines) {
      given = line.trim().slice(0, MAX_LENGTH)
      break
    }
    if (isInterrupted || interrupted.aborted) throw new Interrupted()
    return given
  } finally {
    interrupted.removeEventListener('abort', close)
    lines.close()
    if (isTyped) output.err('\n')
  }
}
