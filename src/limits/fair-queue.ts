import { NO_PACE, type StartPace } from './start-pace.js'

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

/** What an org has in the line, and where one more of its turns would stand. */
export interface OwnLine<T> {
  /** the one that is next */
  readonly head: T
  /** turns of the org that were before the head when it came */
  readonly wereAhead: number
  /** turns of the org that would be before the newcomer */
  readonly ahead: number
}

/** times what another org has and asks for: two that ask for about as much do not hold each other up */
const MUCH_MORE = 1.5

/** An org that has a place, or waits for one. */
interface Org<T> {
  open: number
  /** as its last turn that waited told it */
  weight: number
  /** oldest first, those of sessions before the others */
  readonly waiting: Entry<T>[]
}

interface Entry<T> {
  readonly item: T
  readonly seq: number
  /** turns of its org that were before it when it came */
  readonly wereAhead: number
}

/**
 * The places and who waits for them, shared among orgs by weight: a place that is free goes to the org that has least for its
 * weight, and of a line that is full the org that has most for its weight loses. Running turns keep their places. Pure: no clock.
 */
export class FairQueue<T extends Asking> {
  readonly #orgs = new Map<string, Org<T>>()
  /** the orgs with turns that wait: each placed or refused turn looks at all of them */
  readonly #lines = new Set<Org<T>>()
  #taken = 0
  #waiting = 0
  #seq = 0

  /** @param isTooSlow asked where places are free, so that turns wait for the pace alone: whether a newcomer would wait for nothing */
  constructor(
    private readonly capacity: () => Capacity,
    private readonly pace: StartPace = NO_PACE,
    private readonly isTooSlow: (line: OwnLine<T>) => boolean = () => false,
  ) {}

  get taken(): number {
    return this.#taken
  }

  get waiting(): number {
    return this.#waiting
  }

  arrive(item: T): Arrival<T> {
    // Who waits is placed as soon as a place is free: where one is free for this item, nobody waits for it.
    if (this.#mayPlace(item.kind)) {
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
    return !this.#mayPlace(asking.kind) && !this.#hasRoom(asking) && this.#yieldsTo(asking) === undefined
  }

  /** Whether turns wait though there are places for them: too many others are about to begin. */
  get holdsBack(): boolean {
    return this.#waiting > 0 && this.#taken < this.#placesFor('new')
  }

  /** A place, without waiting for one, while fewer than `most` are taken. */
  placeNow(orgId: string, most: number): boolean {
    if (this.#taken >= most) return false
    this.#place(orgId)
    return true
  }

  /** A place is free again. @returns who takes one now */
  leave(orgId: string): T[] {
    const org = this.#orgs.get(orgId)
    if (org !== undefined) {
      org.open -= 1
      this.#forgetIdle(orgId, org)
    }
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
    const own = this.#orgs.get(orgId)
    const mine = demandOf(own) / weight
    for (const org of this.#lines)
      if (org !== own && demandOf(org) / org.weight > mine * MUCH_MORE) return true
    return false
  }

  /** It waits no longer. False if it did not. */
  withdraw(item: T): boolean {
    const org = this.#orgs.get(item.orgId)
    const at = org?.waiting.findIndex((one) => one.item === item) ?? -1
    if (org === undefined || at < 0) return false
    org.waiting.splice(at, 1)
    this.#waiting -= 1
    if (org.waiting.length === 0) this.#lines.delete(org)
    this.#forgetIdle(item.orgId, org)
    return true
  }

  #orgOf(orgId: string): Org<T> {
    const known = this.#orgs.get(orgId)
    if (known !== undefined) return known
    const org: Org<T> = { open: 0, weight: 1, waiting: [] }
    this.#orgs.set(orgId, org)
    return org
  }

  #forgetIdle(orgId: string, org: Org<T>): void {
    if (demandOf(org) === 0) this.#orgs.delete(orgId)
  }

  #place(orgId: string): void {
    this.#orgOf(orgId).open += 1
    this.#taken += 1
  }

  #start(orgId: string): void {
    this.#place(orgId)
    this.pace.started()
  }

  #hasRoom({ orgId, kind }: Asking): boolean {
    const { places, newPlaces, waiting, waitingOfOrg } = this.capacity()
    if (this.#waiting >= waiting || this.#isHopeless(orgId, kind)) return false
    if ((this.#orgs.get(orgId)?.waiting.length ?? 0) < waitingOfOrg) return true
    // A burst: there is a place for each of them. While new sessions are held back it is no burst.
    return newPlaces >= places && this.#waiting < this.#placesFor(kind) - this.#taken
  }

  #isHopeless(orgId: string, kind: Asking['kind']): boolean {
    const line = this.#orgs.get(orgId)?.waiting ?? []
    const [head] = line
    if (head === undefined || this.#taken >= this.#placesFor(kind)) return false
    const ahead = placeOf(kind, line)
    return this.isTooSlow({ head: head.item, wereAhead: head.wereAhead, ahead })
  }

  #placesFor(kind: Asking['kind']): number {
    const { places, newPlaces } = this.capacity()
    return kind === 'new' ? Math.min(places, newPlaces) : places
  }

  #mayPlace(kind: Asking['kind']): boolean {
    return this.pace.mayStart(kind) && this.#taken < this.#placesFor(kind)
  }

  #enqueue(item: T): void {
    const org = this.#orgOf(item.orgId)
    this.#lines.add(org)
    org.weight = item.weight
    const at = placeOf(item.kind, org.waiting)
    org.waiting.splice(at, 0, { item, seq: this.#seq, wereAhead: at })
    this.#seq += 1
    this.#waiting += 1
  }

  /** Of the heads that may take a place, the one whose org would have least for its weight; of equals the one that came first. */
  #next(): T | undefined {
    const may = { new: this.#mayPlace('new'), next: this.#mayPlace('next') }
    if (!may.new && !may.next) return undefined
    let best: { readonly item: T; readonly seq: number } | undefined
    let least = 0
    for (const { open, weight, waiting } of this.#lines) {
      const [head] = waiting
      if (head === undefined || !may[head.item.kind]) continue
      const share = (open + 1) / weight
      if (best !== undefined && (share > least || (share === least && head.seq > best.seq))) continue
      best = head
      least = share
    }
    return best?.item
  }

  /** The newest of the org that has most for its weight, if that is more than the newcomer's would have. */
  #yieldsTo({ orgId, weight, kind }: Asking): T | undefined {
    if (this.capacity().waiting === 0) return undefined
    let greediest: Org<T> | undefined
    let most = 0
    for (const org of this.#lines) {
      const load = demandOf(org) / org.weight
      if (greediest !== undefined && load <= most) continue
      greediest = org
      most = load
    }
    const last = greediest?.waiting.at(-1)?.item
    if (last === undefined) return undefined
    const own = this.#orgs.get(orgId)
    const yields =
      greediest === own ? kind === 'next' && last.kind === 'new' : most > (demandOf(own) + 1) / weight
    return yields ? last : undefined
  }
}

/** Where a turn comes in its org's line: a new session at the end, one of a session before the new ones. */
function placeOf(kind: Asking['kind'], line: readonly Entry<Asking>[]): number {
  const at = kind === 'new' ? -1 : line.findIndex(({ item }) => item.kind === 'new')
  return at < 0 ? line.length : at
}

/** What an org has and asks for. */
const demandOf = (org: Org<unknown> | undefined): number =>
  org === undefined ? 0 : org.open + org.waiting.length
