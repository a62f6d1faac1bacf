import type { Clock } from '../../core/clock.js'
import { AverageHold } from './average-hold.js'
import { type Choice, choose } from './choose-endpoint.js'
import {
  afterAnswer,
  afterContent,
  afterFailure,
  afterNothing,
  permission,
  probed,
  type Rest,
  WORKING,
} from './endpoint-rest.js'
import { blames } from './failure-blame.js'
import type { FailedRequest } from './next-step.js'
import { Places } from './places.js'
import { RetryBudget } from './retry-budget.js'
import { atOnce, type Entry, type Refusal, type Seat } from './seat.js'
import { MOST_REST_WAIT_MS, type Wait, WaitingTurns } from './waiting-turns.js'

/** turns that wait so at a time */
const MOST_REST_WAITERS = 100

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
  readonly #waiting: WaitingTurns
  #probes = 0

  constructor(
    endpoints: readonly { readonly name: string; readonly maxConcurrent?: number }[],
    private readonly deps: GateDeps,
  ) {
    this.#places = new Places(endpoints)
    this.#names = endpoints.map(({ name }) => name)
    for (const { name } of endpoints) this.#budgets.set(name, new RetryBudget())
    this.#waiting = new WaitingTurns({
      clock: deps.clock,
      decide: (route) => this.#decide(route, true),
      late: (what, route) => this.#refusal(what === 'place' ? 'full' : 'resting', route),
    })
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
    return this.#hold.secondsFor(this.#waiting.count(route, 'place'), this.#places.most(route))
  }

  /** Takes one retry out of the endpoint's budget, if it has one left and does not rest after failures. */
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
    const found = this.#decide(route, patient)
    if (found.kind !== 'wait') return atOnce(found)
    if (patient && this.#isRoomFor(route, found)) return this.#waiting.add(route, waitMs, found)
    return atOnce(this.#refusal(found.for === 'place' ? 'full' : 'resting', route))
  }

  #decide(route: readonly string[], patient: boolean): Seat | Refusal | Wait {
    const choice = this.#choose(route, patient)
    if (choice.kind === 'take') return this.#seat(choice)
    const inVain = choice.kind === 'refuse' || (choice.for === 'rest' && !this.#isSoon(route))
    return inVain ? this.#refusal('resting', route) : choice
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

  #isRoomFor(route: readonly string[], { for: what }: Wait): boolean {
    const most = what === 'place' ? this.#places.queueBound(route) : MOST_REST_WAITERS
    return this.#waiting.count(route, what) < most
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
        const rest = this.#rest(name)
        const after = afterNothing(rest, probe)
        this.#rests.set(name, after)
        if (after === rest) this.#waiting.placeFreed()
        else this.#waiting.lookAtAll()
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
    if (rest.kind === 'resting' || before.kind === 'resting') this.#waiting.lookAtAll()
  }
}
