import cluster, { type Worker } from 'node:cluster'
import { type FromWorker, WORKER_NUMBER } from './messages.js'
import type { WorkerProcess } from './primary.js'
import type { WorkerChannel } from './siblings.js'

/** Node's cluster: the primary owns the port and hands each new connection to the workers in turn. */

/** The number of this worker, from 1; undefined in the primary, and where there are no workers. */
export function workerNumber(): number | undefined {
  return cluster.isWorker ? Number(process.env[WORKER_NUMBER] ?? 1) : undefined
}

/** @param replica of a worker, where its name is given; each worker is a replica of its own */
export function forkWorker(number: number, replica: string | undefined): WorkerProcess {
  const worker = cluster.fork({
    [WORKER_NUMBER]: String(number),
    ...(replica === undefined ? {} : { CHAT_REPLICA: replica }),
  })
  // A worker that has just gone cannot be told anything; its exit says the rest.
  worker.on('error', () => undefined)
  return {
    send: (message) => {
      if (worker.isConnected()) worker.send(message)
    },
    kill: () => void worker.process.kill('SIGKILL'),
    onMessage: (listener) => void worker.on('message', listener),
    onListening: (listener) => void worker.once('listening', listener),
    onExit: (listener) => void worker.once('exit', (code: number | null) => listener(code)),
  }
}

/** @throws outside a worker */
export function channelToPrimary(): WorkerChannel {
  const worker: Worker | undefined = cluster.worker
  if (worker === undefined) throw new Error('not a worker')
  return {
    send(message: FromWorker) {
      if (worker.isConnected()) worker.send(message)
    },
    onMessage: (listener) => void process.on('message', listener),
  }
}
