import { Worker } from 'node:worker_threads'
import { errorText } from './core/errors.js'
import type { Logger } from './core/logger.js'

/** ms left to calls that are just ending */
const GRACE_MS = 100
/** system calls that hold one of Node's threads: of files and of names */
const ON_A_THREAD = /^(FSReq|GetAddrInfo|GetNameInfo)/

/**
 * Ends the process. Node waits at its end for every thread, so a system call that hangs (a file on a mount that is gone)
 * would keep it for ever: such a process ends itself by SIGKILL, after everything else was closed.
 */
export function leave(code: 0 | 1, logger: Pick<Logger, 'error'>): void {
  if (!isOnAThread()) process.exit(code)
  setTimeout(() => {
    if (!isOnAThread()) process.exit(code)
    logger.error({ code }, 'a system call hangs and would hold up the exit: ending by SIGKILL')
    process.kill(process.pid, 'SIGKILL')
  }, GRACE_MS)
}

/** The process ends by SIGKILL in `afterMs` ms if it is still there, also while its main thread is blocked. */
export function killAfter(afterMs: number, replica: string, logger: Pick<Logger, 'error'>): void {
  const failed = (thrown: unknown): void =>
    logger.error({ error: errorText(thrown) }, 'the watchdog of the exit could not be started')
  // An instant that both threads know: to start one takes a moment.
  const until = process.hrtime.bigint() + BigInt(Math.round(afterMs * 1e6))
  try {
    const thread = new Worker(new URL('./watchdog.js', import.meta.url), { workerData: { until, replica } })
    thread.once('error', failed)
    // It holds up nothing: a process that has ended takes it along.
    thread.unref()
  } catch (thrown) {
    failed(thrown)
  }
}

const isOnAThread = (): boolean => process.getActiveResourcesInfo().some((kind) => ON_A_THREAD.test(kind))
