import { createInterface } from 'node:readline'
import { CommandError, Interrupted } from '../text/command-error.js'
import type { Invocation } from './invocation.js'

/** characters of an answer that are looked at */
const MAX_ANSWER = 10

/**
 * Asks a person at a terminal.
 * @returns true for `y` or `yes`
 * @throws CommandError 2 where nobody can be asked; Interrupted by Ctrl-C
 */
export async function confirmed(question: string, invocation: Invocation): Promise<boolean> {
  const { input, output, t } = invocation
  if (input.isTTY !== true)
    throw new CommandError(
      t('Nobody can be asked here. Say --yes where you are sure', '此处无法询问。确认无误请加 --yes'),
      2,
    )
  const interrupted = invocation.interrupted()
  output.err(question)
  const lines = createInterface({ input, terminal: false })
  const close = (): void => lines.close()
  interrupted.addEventListener('abort', close)
  try {
    let given = ''
    for await (const line of lines) {
      given = line.trim().slice(0, MAX_ANSWER).toLowerCase()
      break
    }
    if (interrupted.aborted) throw new Interrupted()
    return given === 'y' || given === 'yes'
  } finally {
    interrupted.removeEventListener('abort', close)
    lines.close()
  }
}
