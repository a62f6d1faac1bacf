import { errorText } from './errors.js'
import type { Logger } from './logger.js'

/** Tells an observer something. What it throws is logged and ends nothing of what it observes; the answer is then none. */
export function guarded<T>(logger: Pick<Logger, 'error'>, observer: string, tell: () => T): T | undefined {
  try {
    return tell()
  } catch (thrown) {
    try {
      logger.error({ observer, error: errorText(thrown) }, 'an observer broke')
    } catch {
      // The log itself broke: there is nobody left to tell.
    }
    return undefined
  }
}
