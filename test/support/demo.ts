import type { ChildProcess } from 'node:child_process'

/** The address of the console that a demo prints, with its token. @throws Error where the demo ends before */
export async function consoleAddress({ stdout }: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of stdout ?? []) {
    text += String(chunk)
    const address = /http:\S+\/console\?demo#token=\S+/.exec(text)?.[0]
    if (address !== undefined) return address
  }
  throw new Error(`the demo ended: ${text}`)
}
