import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { Surroundings } from './invocation.js'

/** characters; a token is a request header, and those are bounded */
const MAX_LENGTH = 65_536

/** One line that a pipe brings, or a person types unseen. Empty where there is none, or after Ctrl-C. */
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
  const close = (): void => lines.close()
  interrupted.addEventListener('abort', close)
  try {
    for await (const line of lines) return line.trim().slice(0, MAX_LENGTH)
    return ''
  } finally {
    interrupted.removeEventListener('abort', close)
    lines.close()
    if (isTyped) output.err('\n')
  }
}
