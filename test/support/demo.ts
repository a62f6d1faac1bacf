import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Demo {
  /** The address of its console, with the token, once it is printed. @throws Error where the demo ends before */
  address(): Promise<string>
  /** Ends it and removes what it kept. */
  close(): Promise<void>
}

/** The built demo, in English, in a folder of its own. */
export function startDemo(): Demo {
  const data = mkdtempSync(join(tmpdir(), 'chat-cutover-demo-'))
  const demo = spawn(process.execPath, ['dist/cli/main.js', 'demo', '--data', data, '--port', '0'], {
    env: { PATH: process.env.PATH, CHAT_LANG: 'en', LANG: 'en_US.UTF-8' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(demo, 'exit')
  return {
    async address() {
      let text = ''
      for await (const chunk of demo.stdout) {
        text += String(chunk)
        const address = /http:\S+\/console\?demo#token=\S+/.exec(text)?.[0]
        if (address !== undefined) return address
      }
      throw new Error(`the demo ended: ${text}`)
    },
    async close() {
      demo.kill('SIGTERM')
      await ended
      rmSync(data, { recursive: true, force: true })
    },
  }
}
