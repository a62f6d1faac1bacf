import type { Clock } from '../core/clock.js'
import { TurnAborted } from '../execution/turn-result.js'
import type { AbortCode } from '../protocol/execution-codes.js'
import { bounded } from './bounded.js'

/** ms in which an aborted turn has to end: its record kept (3 s), its cancel sent (1 s), its reader served. */
const END_AFTER_ABORT_MS = 5_000

/** The place of one turn among the running ones, from its admission until nothing of it is left. */
export interface TurnPlace {
  /** aborted with a `TurnAborted` when the turn is given up */
  readonly signal: AbortSignal
  /** The first reason wins. */
  abort(code: AbortCode): void
  /** From now on the turn is found by its message id. */
  name(messageId: string): void
  close(): void
}

/** The running turns of this process. */
export interface TurnRegistry {
  readonly count: number
  open(): TurnPlace
  /** False when no such turn runs here. */
  abort(messageId: string, code: AbortCode): boolean
  /**
   * Waits at most `ms` for the running turns, then aborts them with `shutting_down` and waits until they ended,
   * at most 5 s more. New turns are refused elsewhere.
   */
  drain(ms: number): Promise<void>
}

export function createTurnRegistry(clock: Clock): TurnRegistry {
  const places = new Set<TurnPlace>()
  const named = new Map<string, TurnPlace>()
  let whenEmpty: (() => void)[] = []

  const remove = (place: TurnPlace, messageId: string | undefined): void => {
    places.delete(place)
    if (messageId !== undefined && named.get(messageId) === place) named.delete(messageId)
    if (places.size > 0) return
    for (const resolve of whenEmpty) resolve()
    whenEmpty = []
  }

  const empty = (): Promise<void> =>
    places.size === 0 ? Promise.resolve() : new Promise((resolve) => whenEmpty.push(resolve))

  return {
    get count() {
      return places.size
    },
    open() {
      const controller = new AbortController()
      let messageId: string | undefined
      const place: TurnPlace = {
        signal: controller.signal,
        abort: (code) => controller.abort(new TurnAborted(code)),
        name(id) {
          messageId = id
          named.set(id, place)
        },
        close: () => remove(place, messageId),
      }
      places.add(place)
      return place
    },
    abort(messageId, code) {
      const place = named.get(messageId)
      place?.abort(code)
      return place !== undefined
    },
    async drain(ms) {
      if ((await bounded(empty(), ms, clock)) !== 'late') return
      for (const place of places) place.abort('shutting_down')
      await bounded(empty(), END_AFTER_ABORT_MS, clock)
    },
  }
}
