import { bounded } from '../core/bounded.js'
import type { Clock } from '../core/clock.js'
import { TurnAborted } from '../execution/turn-result.js'
import type { AbortCode } from '../protocol/execution-codes.js'

/** ms in which an aborted turn has to end: its record kept (3 s), its cancel sent (1 s), its reader served. */
const END_AFTER_ABORT_MS = 5_000

/** The place of one turn among the running ones, from its admission until nothing of it is left. */
export interface TurnPlace {
  /** aborted with a `TurnAborted` when the turn is given up */
  readonly signal: AbortSignal
  /**
   * The first reason wins.
   * @param unreadMs for so long there has been no reader
   */
  abort(code: AbortCode, unreadMs?: number): void
  /** From now on the turn is found by its message id. */
  name(messageId: string): void
  /** Nothing is left of the turn but a reader that has not taken all of it: a drain past its time waits no longer. */
  ended(): void
  close(): void
}

/** The running turns of this process. */
export interface TurnRegistry {
  readonly count: number
  open(): TurnPlace
  /** False when no such turn runs here. */
  abort(messageId: string, code: AbortCode): boolean
  /**
   * Waits at most `ms` for the running turns and their readers, then aborts them with `shutting_down` and waits until
   * they ended, at most 5 s more. New turns are refused elsewhere.
   */
  drain(ms: number): Promise<void>
}

export function createTurnRegistry(clock: Clock): TurnRegistry {
  const places = new Set<TurnPlace>()
  const running = new Set<TurnPlace>()
  const named = new Map<string, TurnPlace>()
  const waiting = new Map<() => void, ReadonlySet<TurnPlace>>()

  const tellEmpty = (): void => {
    for (const [resolve, set] of waiting) {
      if (set.size > 0) continue
      waiting.delete(resolve)
      resolve()
    }
  }

  const empty = (set: ReadonlySet<TurnPlace>): Promise<void> =>
    set.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.set(resolve, set))

  return {
    get count() {
      return places.size
    },
    open() {
      const controller = new AbortController()
      let messageId: string | undefined
      const place: TurnPlace = {
        signal: controller.signal,
        abort: (code, unreadMs) => controller.abort(new TurnAborted(code, unreadMs)),
        name(id) {
          messageId = id
          named.set(id, place)
        },
        ended() {
          running.delete(place)
          if (messageId !== undefined && named.get(messageId) === place) named.delete(messageId)
          tellEmpty()
        },
        close() {
          places.delete(place)
          place.ended()
        },
      }
      places.add(place)
      running.add(place)
      return place
    },
    abort(messageId, code) {
      const place = named.get(messageId)
      place?.abort(code)
      return place !== undefined
    },
    async drain(ms) {
      if ((await bounded(empty(places), ms, clock)) !== 'late') return
      for (const place of running) place.abort('shutting_down')
      await bounded(empty(running), END_AFTER_ABORT_MS, clock)
    },
  }
}
