import { systemClock } from '../../core/clock.js'
import type { Output } from '../text/output.js'
import type { Environment, Surroundings } from './invocation.js'

/** The surroundings of a real process; it listens to Ctrl-C once a command asks. */
export function processSurroundings(env: Environment, output: Output): Surroundings {
  let interrupted: AbortController | undefined
  return {
    env,
    output,
    clock: systemClock,
    input: process.stdin,
    interrupted() {
      if (interrupted === undefined) {
        const controller = new AbortController()
        interrupted = controller
        // The second Ctrl-C ends the process as always.
        process.once('SIGINT', () => controller.abort())
        process.once('SIGTERM', () => controller.abort())
      }
      return interrupted.signal
    },
  }
}
