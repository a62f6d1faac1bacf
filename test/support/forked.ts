import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { bundled } from './bundled.js'

const MESSAGE_DEADLINE_MS = 20_000
const SILENT = `sent no message within ${MESSAGE_DEADLINE_MS / 1000} s and was killed`

/** characters of what a process wrote last to its standard error, for the failure of a test */
const MAX_ERRORS = 2_000

/** A TypeScript (or plain `.mjs`) file run as a process of its own, talking by IPC messages. */
export interface Forked {
  send(message: string): void
  /** the next message the process sends; where it ends or stays silent, rejects and says how */
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
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  children.add(child)
  let errors = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    process.stderr.write(chunk)
    errors = (errors + chunk.toString()).slice(-MAX_ERRORS)
  })
  // Its pipes may end after it: what it wrote last is to be told as well.
  let isClosed = false
  const ended = once(child, 'close').finally(() => children.delete(child))
  const messages: string[] = []
  let wake: (() => void) | undefined
  child.on('message', (message) => {
    messages.push(String(message))
    wake?.()
  })
  child.on('close', () => {
    isClosed = true
    wake?.()
  })
  return {
    // To a process that has ended nothing is sent; `message` says how it ended.
    send: (message) => void child.send(message, () => {}),
    async message() {
      let isSilent = false
      const deadline = setTimeout(() => {
        isSilent = true
        child.kill('SIGKILL')
      }, MESSAGE_DEADLINE_MS)
      try {
        for (;;) {
          const message = messages.shift()
          if (message !== undefined) return message
          if (isClosed) throw new Error(`${file} ${isSilent ? SILENT : endOf(child)}\n${errors}`.trimEnd())
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

const endOf = ({ exitCode, signalCode }: ChildProcess): string =>
  `ended without a message, with ${signalCode ?? `code ${exitCode}`}`

/** For `afterEach`: no process outlives its test. */
export async function killForked(): Promise<void> {
  await Promise.all(
    [...children].map(async (child) => {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }),
  )
}
