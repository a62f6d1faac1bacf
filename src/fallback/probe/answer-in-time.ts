import { bounded } from '../../core/bounded.js'
import type { Clock, Timer } from '../../core/clock.js'
import { errorCode } from '../../core/errors.js'
import type { HealthAnswer } from './probe-request.js'

/** ms by which a timer is late only where our own process was held up */
const HELD_UP_MS = 50

const TIMEOUT = { good: false, code: 'timeout' } as const
const GIVEN_UP = { good: false, code: 'given_up' } as const

/**
 * The answer, or that it is late (code `timeout`, and the request is aborted); ends at once with `given_up` when `controller` is aborted,
 * whatever the request does then. Never rejects.
 */
export async function answerInTime(
  request: (signal: AbortSignal) => Promise<HealthAnswer>,
  controller: AbortController,
  timeoutMs: number,
  clock: Clock,
): Promise<HealthAnswer> {
  const { signal } = controller
  const answered = request(signal).catch((thrown) => ({
    good: false as const,
    code: errorCode(thrown) ?? 'failed',
  }))
  const givenUp = new Promise<HealthAnswer>((resolve) => {
    signal.addEventListener('abort', () => resolve(GIVEN_UP), { once: true })
  })
  const first = Promise.race([givenUp, answered])
  const answer = await bounded(first, timeoutMs, clock, scheduleUnlessHeldUp)
  if (answer !== 'late') return answer
  controller.abort()
  return TIMEOUT
}

/** A process of ours that stood still has read no answer, and the runtime is not unhealthy because of that: as much time again. */
function scheduleUnlessHeldUp(clock: Clock, ms: number, callback: () => void): Timer {
  const startedAt = clock.monotonic()
  let timer = clock.schedule(ms, () => {
    const lateMs = clock.monotonic() - startedAt - ms
    if (lateMs > HELD_UP_MS) timer = clock.schedule(Math.min(lateMs, ms), callback)
    else callback()
  })
  return { cancel: () => timer.cancel() }
}
