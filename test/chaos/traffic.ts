import { Agent } from 'node:http'
import type { bearer } from '../support/processes.js'
import { runTurn, type TurnEnd } from './turn-client.js'

export interface Target {
  readonly replica: string
  readonly url: string
}

/** ms between two looks at what is due */
const STEP_MS = 5
/** turns sent at once when our own process was held up */
const MAX_BURST = 8
/** in flight; beyond it a turn is not sent, and counted */
const MAX_IN_FLIGHT = 1000
const ORGS = 10

/** Constant traffic: so many new sessions a second from ten orgs, over the replicas in turn, whatever they answer. */
export class Traffic {
  readonly ended: TurnEnd[] = []
  /** turns that were in flight on a replica that a row killed: their connection went with the process */
  cut = 0
  unsent = 0
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY })
  readonly #flying = new Set<Promise<void>>()
  readonly #gone = new Set<string>()
  #targets: readonly Target[] = []
  #tokens: string[] = []
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0
  #sent = 0

  constructor(
    private readonly options: {
      readonly perSecond: number
      /** of all turns, in tenths, that are of the first org */
      readonly mainOrgShare?: number
      /** ms a user waits for the first of the answer; absent: to the end */
      readonly leaveAfterMs?: number
      readonly bearer: typeof bearer
    },
  ) {}

  async start(targets: readonly Target[]): Promise<void> {
    this.#targets = targets
    this.#tokens = await Promise.all(
      Array.from({ length: ORGS }, (_, n) => this.options.bearer({ org: `org-${n}`, user: `user-${n}` })),
    )
    this.#startedAt = performance.now()
    this.#timer = setInterval(() => this.#send(), STEP_MS)
  }

  /** A replica is about to be killed: nothing is sent to it any more, and what breaks with it counts as cut. */
  leave(replica: string): void {
    this.#gone.add(replica)
    this.#targets = this.#targets.filter((target) => target.replica !== replica)
  }

  /** It runs again, perhaps elsewhere. */
  rejoin(target: Target): void {
    this.#gone.delete(target.replica)
    this.#targets = [...this.#targets.filter(({ replica }) => replica !== target.replica), target]
  }

  /** Ends when every turn has. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#flying)
    this.#agent.destroy()
  }

  /** So many new sessions at once, beside the constant ones. */
  burst(turns: number): void {
    for (let n = 0; n < turns; n += 1) {
      this.#sent += 1
      this.#one(this.#sent)
    }
  }

  #send(): void {
    const due =
      Math.floor(((performance.now() - this.#startedAt) / 1000) * this.options.perSecond) - this.#sent
    for (let n = 0; n < Math.min(due, MAX_BURST); n += 1) {
      this.#sent += 1
      this.#one(this.#sent)
    }
    // What a held-up process missed is not made up for: it would be a burst nobody asked for.
    if (due > MAX_BURST) this.#sent += due - MAX_BURST
  }

  #one(number: number): void {
    const target = this.#targets[number % this.#targets.length]
    if (target === undefined) return
    if (this.#flying.size >= MAX_IN_FLIGHT) {
      this.unsent += 1
      return
    }
    const { mainOrgShare = 0, leaveAfterMs } = this.options
    const org = number % 10 < mainOrgShare * 10 ? 0 : number % ORGS
    const flight = runTurn({
      agent: this.#agent,
      ...target,
      org: `org-${org}`,
      authorization: this.#tokens[org] ?? '',
      message: `m-${number}-end`,
      ...(leaveAfterMs === undefined ? {} : { leaveAfterMs }),
    }).then((end) => {
      this.#flying.delete(flight)
      if (end.kind !== 'ok' && this.#gone.has(end.replica)) this.cut += 1
      else this.ended.push(end)
    })
    this.#flying.add(flight)
  }
}
