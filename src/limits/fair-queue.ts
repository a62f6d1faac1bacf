import { NO_PACE, type StartPace } from './start-pace.js'
import { Tally } from './tally.js'

/** One turn that asks for a place. */
export interface Asking {
  readonly orgId: string
  /** share of its org; above 0 */
  readonly weight: number
  /** a turn of a session that is there goes before the first of a new one */
  readonly kind: 'new' | 'next'
}

/** How many places and waiting turns there may be now. */
export interface Capacity {
  readonly places: number
  /** new sessions take no more than so many of them */
  readonly newPlaces: number
  /** turns that wait, in all and of one org */
  readonly waiting: number
  readonly waitingOfOrg: number
}

export type Arrival<T> =
  | { readonly kind: 'placed' }
  /** `pushedOut` waits no longer: its org has more for its weight, and there was no room for both */
  | { readonly kind: 'waits'; readonly pushedOut?: T }
  | { readonly kind: 'refused' }

/** times what another org has and asks for: two that ask for about as much do not hold each other up */
const MUCH_MORE = 1.5

interface Line<T> {
  weight: number
  /** oldest first, those of sessions before the others */
  readonly waiting: { readonly item: T; readonly seq: number }[]
}

/**
 * The places and who waits for them, shared among orgs by weight: a place that is free goes to the org that has least for its
 * weight, and of a line that is full the org that has most for its weight loses. Running turns keep their places. Pure: no clock.
 */
export class FairQueue<T extends Asking> {
  readonly #open = new Tally()
  readonly #lines = new Map<string, Line<T>>()
  #taken = 0
  #waiting = 0
  #seq = 0

  constructor(
    private readonly capacity: () => Capacity,
    private readonly pace: StartPace = NO_PACE,
  ) {}

  get taken(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiting
  }

  arrive(item: T): Arrival<T> {
    // Who waits is placed as soon as a place is free: where one is free for this item, nobody waits for it.
    if (this.#mayPlace(item)) {
      this.#start(item.orgId)
      return { kind: 'placed' }
    }
    if (this.#hasRoom(item)) {
      this.#enqueue(item)
      return { kind: 'waits' }
    }
    const pushedOut = this.#yieldsTo(item)
    if (pushedOut === undefined) return { kind: 'refused' }
    this.withdraw(pushedOut)
    this.#enqueue(item)
    return { kind: 'waits', pushedOut }
  }

  /** What `arrive` would say to such a turn now; nothing changes. */
  wouldRefuse(asking: Asking): boolean {
    return !this.#mayPlace(asking) && !this.#hasRoom(asking) && this.#yieldsTo(asking) === undefined
  }

  /** A place, without waiting for one. */
  placeNow(orgId: string): boolean {
    if (this.#taken >= this.capacity().places) return false
    this.#place(orgId)
    return true
  }

  /** A place is free again. @returns who takes one now */
  leave(orgId: string): T[] {
    this.#open.remove(orgId)
    this.#taken -= 1
    return this.fill()
  }

  /** @returns who takes a place now; also to be called when the capacity has grown */
  fill(): T[] {
    const placed: T[] = []
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.withdraw(next)
      this.#start(next.orgId)
      placed.push(next)
    }
    return placed
  }

  /** Whether another org waits that has and asks for much more, for its weight. */
  asksLess({ orgId, weight }: Asking): boolean {
    const mine = (this.#open.of(orgId) + this.#waitingOf(orgId)) / weight
    for (const [org, { weight: of, waiting }] of this.#lines)
      if (org !== orgId && (this.#open.of(org) + waiting.length) / of > mine * MUCH_MORE) return true
    return false
  }

  /** It waits no longer. False if it did not. */
  withdraw(item: T): boolean {
    const line = this.#lines.get(item.orgId)
    const at = line?.waiting.findIndex((one) => one.item === item) ?? -1
    if (line === undefined || at < 0) return false
    line.waiting.splice(at, 1)
    this.#waiting -= 1
    if (line.waiting.length === 0) this.#lines.delete(item.orgId)
    return true
  }

  #waitingOf(orgId: string): number {
    return this.#lines.get(orgId)?.waiting.length ?? 0
  }

  #place(orgId: string): void {
    this.#open.add(orgId)
    this.#taken += 1
  }

  #start(orgId: string): void {
    this.#place(orgId)
    this.pace.started()
  }

  #hasRoom({ orgId, kind }: Asking): boolean {
    const { places, newPlaces, waiting, waitingOfOrg } = this.capacity()
    if (this.#waiting >= waiting) return false
    if (this.#waitingOf(orgId) < waitingOfOrg) return true
    // A burst: there is a place for each of them. While new sessions are held back it is no burst.
    return newPlaces >= places && this.#waiting < this.#placesFor(kind) - this.#taken
  }

  #placesFor(kind: Asking['kind']): number {
    const { places, newPlaces } = this.capacity()
    return kind === 'new' ? Math.min(places, newPlaces) : places
  }

  #mayPlace({ kind }: Asking): boolean {
    return this.pace.mayStart(kind) && this.#taken < this.#placesFor(kind)
  }

  #enqueue(item: T): void {
    const line = this.#lines.get(item.orgId) ?? { weight: item.weight, waiting: [] }
    this.#lines.set(item.orgId, line)
    line.weight = item.weight
    const entry = { item, seq: this.#seq }
    this.#seq += 1
    const at = item.kind === 'new' ? -1 : line.waiting.findIndex((one) => one.item.kind === 'new')
    if (at < 0) line.waiting.push(entry)
    else line.waiting.splice(at, 0, entry)
    this.#waiting += 1
  }

  /** Of the heads that may take a place, the one whose org would have least for its weight; of equals the one that came first. */
  #next(): T | undefined {
    let best: { readonly item: T; readonly seq: number; readonly share: number } | undefined
    for (const [orgId, { weight, waiting }] of this.#lines) {
      const [head] = waiting
      if (head === undefined || !this.#mayPlace(head.item)) continue
      const share = (this.#open.of(orgId) + 1) / weight
      if (best === undefined || share < best.share || (share === best.share && head.seq < best.seq))
        best = { ...head, share }
    }
    return best?.item
  }

  /** The newest of the org that has most for its weight, if that is more than the newcomer's would have. */
  #yieldsTo({ orgId, weight, kind }: Asking): T | undefined {
    if (this.capacity().waiting === 0) return undefined
    let most: { readonly line: Line<T>; readonly load: number; readonly orgId: string } | undefined
    for (const [org, line] of this.#lines) {
      const load = (this.#open.of(org) + line.waiting.length) / line.weight
      if (most === undefined || load > most.load) most = { line, load, orgId: org }
    }
    const last = most?.line.waiting.at(-1)?.item
    if (most === undefined || last === undefined) return undefined
    const mine = (this.#open.of(orgId) + this.#waitingOf(orgId) + 1) / weight
    const yields = most.orgId === orgId ? kind === 'next' && last.kind === 'new' : most.load > mine
    return yields ? last : undefined
  }
}
