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

const isOnAThread = (): boolean => process.getActiveResourcesInfo().some((kind) => ON_A_THREAD.test(kind))
