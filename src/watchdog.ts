import { write } from 'node:fs'
import { workerData } from 'node:worker_threads'

/**
 * A thread beside the main one, started when the process begins to end (process-exit.ts). Where the main thread is blocked, a
 * database whose disk is gone, say, no timer of it runs: this one does, and ends the process.
 */
const { until, replica }: { readonly until: bigint; readonly replica: string } = workerData
/** ms for the log line: standard output may be blocked as well */
const LINE_MS = 50

const kill = (): void => void process.kill(process.pid, 'SIGKILL')

const leftMs = Number(until - process.hrtime.bigint()) / 1e6
setTimeout(() => {
  const msg = 'the process is blocked and does not end: ending by SIGKILL'
  const line = { level: 'error', time: new Date().toISOString(), replica, msg }
  setTimeout(kill, LINE_MS)
  write(1, `${JSON.stringify(line)}\n`, kill)
}, leftMs)
