import type { Clock, Timer } from '../core/clock.js'
import { AverageHold } from './average-hold.js'
import { type Choice, choose } from './choose.js'
import type { FailedRequest } from './next-step.js'
import { Places } from './places.js'
import {
  afterAnswer,
  afterContent,
  afterFailure,
  afterNothing,
  permission,
  probed,
  type Rest,
  WORKING,
} from './rest.js'
import { RetryBudget } from './retry-budget.js'
import { blames } from './whose-failure.js'

/** ms a turn waits for an endpoint that rests, where no other is left */
const MOST_REST_WAIT_MS = 2000
/** turns that wait so at a time */
const MOST_REST_WAITERS = 100

/** A turn that may ask `endpoint` now. It says what came of it, and leaves, whatever happened. */
export interface Seat {
  readonly kind: 'seat'
  readonly endpoint: string
  /** first content came */
  content(): void
  /** the whole answer came */
  answered(): void
  failed(failed: FailedRequest): void
  /** Gives the place back. Once is enough. */
  leave(): void
}

/**
 * Nothing is sent. `full`: all places of the route are taken and as many turns wait as may, or the time to wait is over;
 * `resting`: all endpoints rest, `last` is how one of them failed; `left`: the turn gave up.
 */
export interface Refusal {
  readonly kind: 'refused'
  readonly why: 'full' | 'resting' | 'left'
  readonly last?: FailedRequest
}

/** A turn at the gate. */
export interface Entry {
  /** what is known at once; undefined for a turn that waits */
  readonly now: Seat | Refusal | undefined
  /** never rejects, and ends within the time the turn may wait */
  readonly seat: Promise<Seat | Refusal>
  /** The turn gives up, wherever it is. */
  leave(): void
}

/** An endpoint at this moment. */
export interface EndpointState {
  readonly endpoint: string
  /** under way */
  readonly requests: number
  readonly resting: boolean
}

export interface GateDeps {
  readonly clock: Clock
  /** An endpoint begins to rest, or rests for longer. */
  onRest(endpoint: string, forMs: number, failed: FailedRequest): void
  /** An endpoint that rested answers again. */
  onBack(endpoint: string): void
}

interface Waiting {
  readonly route: readonly string[]
  /** monotonic ms */
  readonly deadline: number
  readonly restDeadline: number
  readonly resolve: (end: Seat | Refusal) => void
  for: 'place' | 'rest'
  timer: Timer | undefined
}

/**
 * Decides which endpoint of its route a turn asks, and when. Shared by users and shadows of one process, so that limits and
 * rests hold for all of them together.
 */
export class LlmGate {
  readonly #places: Places
  readonly #names: readonly string[]
  readonly #rests = new Map<string, Rest>()
  readonly #last = new Map<string, FailedRequest>()
  readonly #budgets = new Map<string, RetryBudget>()
  readonly #hold = new AverageHold()
  /** oldest first */
  readonly #waiting = new Set<Waiting>()
  #probes = 0

  constructor(
    endpoints: readonly { readonly name: string; readonly maxConcurrent?: number }[],
    private readonly deps: GateDeps,
  ) {
    this.#places = new Places(endpoints)
    this.#names = endpoints.map(({ name }) => name)
    for (const { name } of endpoints) this.#budgets.set(name, new RetryBudget())
  }

  /** turns that wait now */
  get waiting(): number {
    return this.#waiting.size
  }

  /** How each endpoint is now. */
  state(): readonly EndpointState[] {
    const now = this.deps.clock.monotonic()
    return this.#names.map((endpoint) => ({
      endpoint,
      requests: this.#places.taken(endpoint),
      resting: permission(this.#rest(endpoint), now) !== 'free',
    }))
  }

  /** s after which a refused turn may find a place: what the queue takes at the pace of the latest answers */
  retryAfterSeconds(route: readonly string[]): number {
    return this.#hold.secondsFor(this.#waitersFor(route, 'place'), this.#places.most(route))
  }

  /** Takes one retry out of the endpoint's budget, where it has one left and does not rest after failures. */
  takeRetry(endpoint: string): boolean {
    const rest = this.#rest(endpoint)
    return (rest.kind === 'working' || rest.asked) && this.#takeOfBudget(endpoint)
  }

  #takeOfBudget(endpoint: string): boolean {
    return this.#budgets.get(endpoint)?.take(this.deps.clock.monotonic()) ?? false
  }

  /** A request goes out that is no retry. */
  countRequest(endpoint: string): void {
    this.#budgets.get(endpoint)?.request(this.deps.clock.monotonic())
  }

  /**
   * @param waitMs how long the turn may wait for a place; 0 for a shadow, which neither waits nor probes
   */
  enter(route: readonly string[], waitMs: number): Entry {
    const patient = waitMs > 0
    const choice = this.#choose(route, patient)
    if (choice.kind === 'take') return atOnce(this.#seat(choice))
    if (choice.kind === 'refuse') return atOnce(this.#refusal('resting', route))
    const why = choice.for === 'place' ? 'full' : 'resting'
    if (!patient || this.#isQueueFull(route, choice)) return atOnce(this.#refusal(why, route))
    return this.#wait(route, waitMs, choice)
  }

  #choose(route: readonly string[], patient: boolean): Choice {
    const now = this.deps.clock.monotonic()
    const views = route.map((name) => {
      const rest = this.#rest(name)
      const allowed = permission(rest, now)
      return {
        name,
        permission: patient || allowed === 'free' ? allowed : ('no' as const),
        free: patient ? this.#places.isFree(name) : this.#places.isFreeForShadow(name),
        ...(rest.kind === 'resting' ? { restEndsAt: rest.until } : {}),
      }
    })
    return choose(views, now, (name) => this.#takeOfBudget(name))
  }

  #isQueueFull(route: readonly string[], choice: Choice & { kind: 'wait' }): boolean {
    if (choice.for === 'place') return this.#waitersFor(route, 'place') >= this.#places.queueBound(route)
    return !this.#isSoon(route) || this.#waitersFor(route, 'rest') >= MOST_REST_WAITERS
  }

  /** One of the endpoints, which all rest, may be back in a moment. */
  #isSoon(route: readonly string[]): boolean {
    const endsAt = Math.min(...route.map((name) => this.#restEndsAt(name)))
    return endsAt - this.deps.clock.monotonic() <= MOST_REST_WAIT_MS
  }

  /** A probe under way may bring the endpoint back at any moment. */
  #restEndsAt(name: string): number {
    const rest = this.#rest(name)
    return rest.kind === 'working' || rest.probe !== undefined ? 0 : rest.until
  }

  #waitersFor(route: readonly string[], what: 'place' | 'rest'): number {
    let count = 0
    for (const waiting of this.#waiting)
      if (waiting.for === what && waiting.route.some((name) => route.includes(name))) count += 1
    return count
  }

  #wait(route: readonly string[], waitMs: number, choice: Choice & { kind: 'wait' }): Entry {
    const now = this.deps.clock.monotonic()
    let giveUp: () => void = () => {}
    let came: Seat | Refusal | undefined
    const seat = new Promise<Seat | Refusal>((resolve) => {
      const waiting: Waiting = {
        route,
        deadline: now + waitMs,
        restDeadline: now + Math.min(waitMs, MOST_REST_WAIT_MS),
        for: choice.for,
        timer: undefined,
        resolve: (end) => {
          came = end
          this.#waiting.delete(waiting)
          waiting.timer?.cancel()
          resolve(end)
        },
      }
      this.#waiting.add(waiting)
      this.#arm(waiting, choice)
      giveUp = () => waiting.resolve({ kind: 'refused', why: 'left' })
    })
    const leave = (): void => {
      if (came === undefined) giveUp()
      else if (came.kind === 'seat') came.leave()
    }
    return { now: undefined, seat, leave }
  }

  #arm(waiting: Waiting, choice: Choice & { kind: 'wait' }): void {
    waiting.for = choice.for
    waiting.timer?.cancel()
    const wakeAt = Math.min(this.#endOf(waiting), choice.wakeAt ?? Number.POSITIVE_INFINITY)
    waiting.timer = this.deps.clock.schedule(Math.max(0, wakeAt - this.deps.clock.monotonic()), () =>
      this.#look(waiting),
    )
  }

  #endOf({ for: what, deadline, restDeadline }: Waiting): number {
    return what === 'place' ? deadline : restDeadline
  }

  /** Something changed for those who wait; the first comes first. */
  #wake(): void {
    for (const waiting of this.#waiting) this.#look(waiting)
  }

  #look(waiting: Waiting): void {
    const choice = this.#choose(waiting.route, true)
    if (choice.kind === 'take') waiting.resolve(this.#seat(choice))
    else if (choice.kind === 'refuse') waiting.resolve(this.#refusal('resting', waiting.route))
    else {
      waiting.for = choice.for
      const inVain = choice.for === 'rest' && !this.#isSoon(waiting.route)
      const late = inVain || this.deps.clock.monotonic() >= this.#endOf(waiting)
      if (late) waiting.resolve(this.#refusal(choice.for === 'place' ? 'full' : 'resting', waiting.route))
      else this.#arm(waiting, choice)
    }
  }

  #refusal(why: 'full' | 'resting', route: readonly string[]): Refusal {
    const last = route.map((name) => this.#last.get(name)).find((failed) => failed !== undefined)
    return { kind: 'refused', why, ...(why === 'full' || last === undefined ? {} : { last }) }
  }

  #rest(name: string): Rest {
    return this.#rests.get(name) ?? WORKING
  }

  #seat({ name, probe: probing }: Choice & { kind: 'take' }): Seat {
    const { clock } = this.deps
    this.#places.take(name)
    const since = clock.monotonic()
    const probe = probing ? ++this.#probes : undefined
    if (probe !== undefined) this.#rests.set(name, probed(this.#rest(name), probe, since))
    let here = true
    return {
      kind: 'seat',
      endpoint: name,
      content: () => this.#become(name, afterContent(this.#rest(name))),
      answered: () => this.#become(name, afterAnswer(this.#rest(name))),
      failed: (failed) => {
        const now = clock.monotonic()
        const rest = this.#rest(name)
        if (blames(failed) === 'user') this.#become(name, afterAnswer(rest))
        else if (blames(failed) === 'nobody') this.#become(name, afterNothing(rest, probe))
        else {
          this.#last.set(name, failed)
          const { retryAfterMs, httpStatus } = failed
          const asked = httpStatus === 429 && retryAfterMs !== undefined ? { retryAfterMs } : {}
          this.#become(name, afterFailure(rest, { now, probe, ...asked }), failed)
        }
      },
      leave: () => {
        if (!here) return
        here = false
        this.#places.giveBack(name)
        this.#hold.add(clock.monotonic() - since)
        this.#rests.set(name, afterNothing(this.#rest(name), probe))
        this.#wake()
      },
    }
  }

  #become(name: string, rest: Rest, failed?: FailedRequest): void {
    const before = this.#rest(name)
    if (before === rest) return
    this.#rests.set(name, rest)
    if (rest.kind === 'resting' && failed !== undefined) {
      const longer = before.kind === 'working' || rest.until > before.until
      if (longer) this.deps.onRest(name, rest.until - this.deps.clock.monotonic(), failed)
    } else if (before.kind === 'resting' && rest.kind === 'working') this.deps.onBack(name)
    if (rest.kind !== before.kind) this.#wake()
  }
}

function atOnce(end: Seat | Refusal): Entry {
  return {
    now: end,
    seat: Promise.resolve(end),
    leave: () => {
      if (end.kind === 'seat') end.leave()
    },
  }
}
