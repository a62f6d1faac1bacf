import { type Clock, scheduleAwaited } from '../clock.js'
import { BusyQueue, type BusyQueueOptions } from './busy-queue.js'
import { isBusy } from './sqlite-errors.js'

/** A queue of work on a database file that another process may hold locked. */
export const databaseQueue = (
  clock: Pick<Clock, 'monotonic'>,
  bounds: Pick<BusyQueueOptions, 'deadlineMs' | 'maxWaiting'>,
): BusyQueue => new BusyQueue({ now: () => clock.monotonic(), schedule: scheduleAwaited, isBusy, ...bounds })
