import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { bundled } from './bundled.js'

const MESSAGE_DEADLINE_MS = 20_000

/** A TypeScript (or plain `.mjs`) file run as a process of its own, talking by IPC messages. */
export interface Forked {
  send(message: string): void
  /** the next message the process sends; rejects when it ends or stays silent */
  message(): Promise<string>
  /** Kills it without a chance to tidy up and waits for its end. */
  kill(): Promise<void>
}

const children = new Set<ChildProcess>()

/**
 * @param file path below the repository's root
 * @param limits shell commands before it, like `ulimit -f 4096`
 */
export function forked(file: string, args: readonly string[], limits = ':'): Forked {
  const command = [process.execPath, file.endsWith('.mjs') ? file : bundled(file), ...args]
  const child = spawn('sh', ['-c', `${limits}; exec "$@"`, 'sh', ...command], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  children.add(child)
  const ended = once(child, 'exit').finally(() => children.delete(child))
  const messages: string[] = []
  let wake: (() => void) | undefined
  child.on('message', (message) => {
    messages.push(String(message))
    wake?.()
  })
  child.on('exit', () => wake?.())
  return {
    send: (message) => void child.send(message),
    async message() {
      const deadline = setTimeout(() => child.kill('SIGKILL'), MESSAGE_DEADLINE_MS)
      try {
        for (;;) {
          const message = messages.shift()
          if (message !== undefined) return message
          if (child.exitCode !== null || child.signalCode !== null)
            throw new Error(`${file} ended without a message`)
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      } finally {
        clearTimeout(deadline)
      }
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** For `afterEach`: no process outlives its test. */
export async function killForked(): Promise<void> {
  await Promise.all(
    [...children].map(async (child) => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }),
  )
}
