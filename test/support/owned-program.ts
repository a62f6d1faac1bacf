import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { Context } from 'mocha'
import { EngineMissing, skipOptional } from './engines.js'

const running = new Set<ChildProcess>()
// A test that fails halfway leaves its program: it ends with this process.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A program that a test has started. */
export interface OwnedProgram {
  /** @throws Error with what it wrote to its standard error, where it has ended */
  expectRunning(): void
  /** Sends the signal and waits for the end. */
  stop(signal: NodeJS.Signals): Promise<void>
}

/** For `before`: skips the suite where the program does not run, even where all engines are required. @param what names it */
export function requireProgram(context: Context, program: string, what: string): void {
  if (spawnSync(program, ['--version']).status !== 0) skipOptional(context, new EngineMissing(`no ${what}`))
}

/** From now on it ends with this process, and does not keep it alive. @returns the child itself */
export function owned<T extends ChildProcess>(child: T): T {
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.unref()
  return child
}

/** Starts a program that ends with this process. */
export function startProgram(program: string, args: readonly string[]): OwnedProgram {
  const child = owned(spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] }))
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  return {
    expectRunning() {
      if (hasEnded()) throw new Error(`${program} has ended: ${errors}`)
    },
    async stop(signal) {
      if (hasEnded()) return
      const ended = once(child, 'exit')
      child.kill(signal)
      await ended
    },
  }
}
