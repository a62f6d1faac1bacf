import { Agent } from 'node:http'

/** One process of the service, as clients reach it. A restart makes another one. */
export interface Target {
  readonly name: string
  readonly url: string
  /** `leaving`: told to stop, it ends what it has begun; `killed`: everything with it is cut */
  state: 'here' | 'leaving' | 'killed'
}

const MOST_FAULTS = 30

/** What all actors share: where the replicas are, and what was seen. Only counts are kept, however long a run is. */
export class World {
  constructor(
    /** told of each fault at once: a run is long */
    private readonly report: (fault: string) => void,
  ) {}

  readonly agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  readonly counts = new Map<string, number>()
  readonly faults: string[] = []
  #faultCount = 0
  #targets: readonly Target[] = []

  get faultCount(): number {
    return this.#faultCount
  }

  get targets(): readonly Target[] {
    return this.#targets
  }

  arrive(name: string, url: string): void {
    this.#targets = [...this.#targets, { name, url, state: 'here' }]
  }

  /** Nothing new is sent to it any more. */
  leave(name: string, state: 'leaving' | 'killed'): void {
    for (const target of this.#targets) if (target.name === name) target.state = state
    this.#targets = this.#targets.filter((target) => target.name !== name)
  }

  /** Any replica that takes calls; `wanted` where it still does. */
  pick(share: number, wanted?: Target): Target {
    if (wanted?.state === 'here') return wanted
    const found = this.#targets[Math.floor(share * this.#targets.length)]
    if (found === undefined) throw new Error('no replica takes calls')
    return found
  }

  count(what: string, times = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + times)
  }

  get(what: string): number {
    return this.counts.get(what) ?? 0
  }

  fault(text: string): void {
    this.#faultCount += 1
    if (this.faults.length >= MOST_FAULTS) return
    this.faults.push(text)
    this.report(text)
  }
}
