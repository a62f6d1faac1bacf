import type { Clock, Timer } from '../../core/clock.js'
import type { Choice } from './choose-endpoint.js'
import type { Entry, Refusal, Seat } from './seat.js'

/** ms a turn waits for an endpoint that rests, where no other is left */
export const MOST_REST_WAIT_MS = 2000

export type Wait = Extract<Choice, { kind: 'wait' }>

interface WaitingTurn {
  readonly route: readonly string[]
  /** the same for the same route */
  readonly key: string
  /** monotonic ms */
  readonly deadline: number
  readonly restDeadline: number
  readonly end: (end: Seat | Refusal) => void
  for: Wait['for']
  timer: Timer | undefined
}

export interface WaitingTurnsDeps {
  readonly clock: Clock
  /** What a turn of this route gets now. */
  decide(route: readonly string[]): Seat | Refusal | Wait
  /** What a turn gets whose time is over. */
  late(what: Wait['for'], route: readonly string[]): Refusal
}

/** The turns that wait for an endpoint, first come, first served; each with a deadline of its own. */
export class WaitingTurns {
  /** oldest first */
  readonly #turns = new Set<WaitingTurn>()

  constructor(private readonly deps: WaitingTurnsDeps) {}

  get size(): number {
    return this.#turns.size
  }

  /** Those that wait for an endpoint of this route too. */
  count(route: readonly string[], what: Wait['for']): number {
    const key = keyOf(route)
    let count = 0
    for (const turn of this.#turns)
      if (turn.for === what && (turn.key === key || turn.route.some((name) => route.includes(name))))
        count += 1
    return count
  }

  add(route: readonly string[], waitMs: number, wait: Wait): Entry {
    const now = this.deps.clock.monotonic()
    let giveUp: () => void = () => {}
    let came: Seat | Refusal | undefined
    const seat = new Promise<Seat | Refusal>((resolve) => {
      const turn: WaitingTurn = {
        route,
        key: keyOf(route),
        deadline: now + waitMs,
        restDeadline: now + Math.min(waitMs, MOST_REST_WAIT_MS),
        for: wait.for,
        timer: undefined,
        end: (end) => {
          came = end
          this.#turns.delete(turn)
          turn.timer?.cancel()
          resolve(end)
        },
      }
      this.#turns.add(turn)
      this.#arm(turn, wait)
      giveUp = () => turn.end({ kind: 'refused', why: 'left' })
    })
    const leave = (): void => {
      if (came === undefined) giveUp()
      else if (came.kind === 'seat') came.leave()
    }
    return { now: undefined, seat, leave }
  }

  /** An endpoint began to rest, or works again. */
  lookAtAll(): void {
    for (const turn of this.#turns) this.#look(turn)
  }

  /** A place was given back. Where the first of a route goes on waiting, all others of it do. */
  placeFreed(): void {
    const stuck = new Set<string>()
    for (const turn of this.#turns) {
      if (stuck.has(turn.key)) continue
      this.#look(turn)
      if (this.#turns.has(turn)) stuck.add(turn.key)
    }
  }

  #look(turn: WaitingTurn): void {
    const found = this.deps.decide(turn.route)
    if (found.kind !== 'wait') {
      turn.end(found)
      return
    }
    turn.for = found.for
    if (this.deps.clock.monotonic() >= endOf(turn)) turn.end(this.deps.late(turn.for, turn.route))
    else this.#arm(turn, found)
  }

  #arm(turn: WaitingTurn, { wakeAt = Number.POSITIVE_INFINITY }: Wait): void {
    const { clock } = this.deps
    turn.timer?.cancel()
    const delayMs = Math.min(endOf(turn), wakeAt) - clock.monotonic()
    turn.timer = clock.schedule(Math.max(0, delayMs), () => this.#look(turn))
  }
}

function endOf({ for: what, deadline, restDeadline }: WaitingTurn): number {
  return what === 'place' ? deadline : restDeadline
}

/** No name of an endpoint holds a line break. */
function keyOf(route: readonly string[]): string {
  return route.join('\n')
}
