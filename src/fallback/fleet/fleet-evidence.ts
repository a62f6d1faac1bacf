import { bounded } from '../../core/bounded.js'
import type { Clock } from '../../core/clock.js'
import type { RedisLink, RedisReply } from '../../core/redis/redis-link.js'
import type { Outcome } from '../../execution/outcome.js'
import type { JudgedWindow } from '../../metrics/windows/windows.js'
import { type HealthView, type Peers, peersOf } from '../evidence/health-quorum.js'
import { executionsOf, OwnTally, parseEvidence, renderEvidence } from './tally-of-all.js'

/** The executions and the health that other replicas saw. */
export interface FleetEvidence {
  /** One execution of this replica, for the others. */
  add(outcome: Outcome): void
  /**
   * Tells the others what was added, and reads what they told since the last call. Within 200 ms; no executions where Redis does not
   * answer until then. Never rejects.
   */
  exchange(own: HealthView): Promise<FleetNews>
}

export interface FleetNews {
  /** of other replicas */
  readonly outcomes: readonly Outcome[]
  /** absent where Redis is away, or has given no answer in time for 2 s: this replica judges alone */
  readonly peers?: Peers
}

export interface FleetEvidenceOptions {
  readonly link: RedisLink
  readonly clock: Clock
  /** of this process, unique among all */
  readonly replica: string
}

/** ms for one exchange: a tick does not wait longer */
const EXCHANGE_MS = 200
/** ms between two exchanges: a burst of ticks is one */
const PAUSE_MS = 50
/**
 * ms between two exchanges for each other replica: each reads what all tell, so with a fixed pause the messages that Redis sends out would
 * grow with the square of the replicas. From 250 replicas on it is longer than a tick of 1 s; of 1,000 it is 4 s.
 */
const PAUSE_FOR_EACH_MS = 4
/** ms after which a replica that says nothing is not asked any more, and what it told is too old to be judged now */
const SILENT_MS = 10_000
/**
 * ms after the first question without an answer in time: from then on this replica judges alone. After one late answer it does not: a
 * replica that alone sees the runtime dead would trip for all, because of a pause of its own or of Redis.
 */
const UNHEARD_MS = 2_000
/** messages that Redis keeps: of 1,000 replicas those of 10 s */
const MAX_MESSAGES = 10_000
/** messages read in one exchange */
const MAX_READ = 2_000

const ALONE: FleetNews = { outcomes: [] }

/**
 * Messages go through one Redis stream, whose ids are of the server's clock: the clocks of the replicas need not agree. Each message is
 * read once by each replica, and joins the windows when it is read.
 */
export function createFleetEvidence(options: FleetEvidenceOptions): FleetEvidence {
  return new Exchange(options)
}

/** What other replicas tell of the rollout's executions is judged by the rollout as well. */
export function rolloutToo(rolledOut: Pick<JudgedWindow, 'record'>, fleet: FleetEvidence): FleetEvidence {
  return {
    add: (outcome) => fleet.add(outcome),
    async exchange(own) {
      const news = await fleet.exchange(own)
      for (const outcome of news.outcomes) if (outcome.isRollout) rolledOut.record(outcome)
      return news
    },
  }
}

class Exchange implements FleetEvidence {
  readonly #tally = new OwnTally()
  readonly #views = new Map<string, HealthView & { readonly at: number }>()
  readonly #key: string
  #lastId: string | undefined
  #exchangedAt = Number.NEGATIVE_INFINITY
  #isBusy = false
  #late: readonly Outcome[] = []
  /** Redis has answered, and has not been silent for long since */
  #isHeard = false
  /** when it was asked first of what it has not answered in time */
  #unansweredSince: number | undefined

  constructor(private readonly options: FleetEvidenceOptions) {
    this.#key = `${options.link.prefix}:{evidence}`
  }

  add(outcome: Outcome): void {
    this.#tally.add(outcome)
  }

  async exchange(own: HealthView): Promise<FleetNews> {
    const { link, clock } = this.options
    if (!link.isUp) return this.#alone()
    const now = clock.monotonic()
    if (this.#isBusy || now - this.#exchangedAt < this.#pauseMs()) return this.#told([], own)
    this.#exchangedAt = now
    this.#unansweredSince ??= now
    this.#isBusy = true
    const work = this.#ask(own).finally(() => {
      this.#isBusy = false
    })
    const outcomes = await bounded(work, EXCHANGE_MS, clock).catch(() => 'failed' as const)
    if (outcomes === 'late') {
      // What it still brings is judged once an answer is in time.
      work.then(
        (late) => {
          this.#late = [...this.#late, ...late]
        },
        () => undefined,
      )
    }
    if (outcomes === 'late' || outcomes === 'failed') return this.#told([], own)
    this.#isHeard = true
    this.#unansweredSince = undefined
    const late = this.#late
    this.#late = []
    return this.#told([...late, ...outcomes], own)
  }

  /** At most half of the time after which a silent replica is not asked any more. */
  #pauseMs(): number {
    return Math.min(Math.max(PAUSE_MS, this.#views.size * PAUSE_FOR_EACH_MS), SILENT_MS / 2)
  }

  #alone(): FleetNews {
    this.#isHeard = false
    this.#unansweredSince = undefined
    this.#views.clear()
    // What came late, or could not be told, would be too old later.
    this.#late = []
    this.#tally.take(this.options.clock.monotonic())
    return ALONE
  }

  #told(outcomes: readonly Outcome[], own: HealthView): FleetNews {
    const now = this.options.clock.monotonic()
    const unansweredMs = now - (this.#unansweredSince ?? now)
    if (!this.#isHeard || unansweredMs > Math.max(UNHEARD_MS, 2 * this.#pauseMs())) return this.#alone()
    for (const [replica, { at }] of this.#views) if (now - at > SILENT_MS) this.#views.delete(replica)
    return { outcomes, peers: peersOf(own, [...this.#views.values()]) }
  }

  async #ask(own: HealthView): Promise<readonly Outcome[]> {
    const { link, clock, replica } = this.options
    const key = this.#key
    const message = renderEvidence(replica, own, this.#tally.take(clock.monotonic()))
    const bound = ['MAXLEN', '~', String(MAX_MESSAGES)]
    const since = this.#lastId
    const [id, found] = await Promise.all([
      link.call(key, 'XADD', key, ...bound, '*', 'm', message),
      since === undefined ? [] : link.call(key, 'XRANGE', key, `(${since}`, '+', 'COUNT', String(MAX_READ)),
      link.call(key, 'PEXPIRE', key, String(10 * SILENT_MS)),
    ])
    // The first one tells from where on.
    if (since === undefined) this.#lastId = String(id)
    return this.#take(found, msOf(id))
  }

  /** @param serverNow ms of Redis' clock */
  #take(found: RedisReply, serverNow: number): Outcome[] {
    if (!Array.isArray(found)) return []
    const now = this.options.clock.monotonic()
    return found.flatMap((entry: RedisReply) => {
      if (!Array.isArray(entry)) return []
      const [id, fields] = entry
      this.#lastId = String(id)
      const delayMs = Math.max(0, serverNow - msOf(id))
      const text = Array.isArray(fields) ? fields[1] : undefined
      const message = typeof text === 'string' ? parseEvidence(text) : undefined
      if (message === undefined || message.replica === this.options.replica || delayMs > SILENT_MS) return []
      const { sawTurn, bad } = message
      this.#views.set(message.replica, { sawTurn, bad, at: now - delayMs })
      return executionsOf(message, now, delayMs)
    })
  }
}

/** `<ms>-<number>` */
const msOf = (id: RedisReply | undefined): number => Number.parseInt(String(id), 10)
