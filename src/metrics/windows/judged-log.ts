import type { Clock } from '../../core/clock.js'
import { isJudged } from '../../protocol/execution-results.js'
import {
  covers,
  idIn,
  type Scope,
  type ScopeDimension,
  type ScopeSubject,
} from '../../protocol/fallback-scope.js'
import type { Streak } from './failure-streak.js'
import { boundedMs } from './latency-sketch.js'
import { TallySum } from './tally-ring.js'
import type { JudgedLog, LogReach, Tally } from './windows.js'

/** executions kept, the newest; 54 a second over five minutes. About 0.5 MB, and the ids, once there were as many */
const CAPACITY = 16_384
/** executions there is room for at first */
const FIRST_ROOM = 256

const NOT_COUNTED = 0
const OK = 1
const ERROR = 2
const TIMEOUT = 3

/** ms after which a failure tells nothing of today */
const STREAK_MS = 86_400_000

interface Kept extends ScopeSubject {
  readonly sessionId: string
}

/**
 * The newest judged executions one by one. The judged windows hold sums alone; this tells them apart by org and agent, for as
 * many as there are, without a window for each. A reading walks over what it holds, and is asked for only in a breach and
 * while a fallback is scoped.
 */
export function createJudgedLog(clock: Clock, capacity = CAPACITY): JudgedLog {
  return new Log(clock, capacity)
}

class Log implements JudgedLog {
  /** rings; monotonic ms of the end, latency in ms, one of the kinds above */
  #endedAt: Float64Array
  #latencyMs: Float64Array
  #kinds: Uint8Array
  readonly #subjects: Kept[] = []
  /** of the next one, counted since the start */
  #next = 0
  #since = Number.NEGATIVE_INFINITY
  #scoped: { readonly scope: Scope; readonly since: number } | undefined

  constructor(
    private readonly clock: Clock,
    private readonly capacity: number,
  ) {
    const room = Math.min(FIRST_ROOM, capacity)
    this.#endedAt = new Float64Array(room)
    this.#latencyMs = new Float64Array(room)
    this.#kinds = new Uint8Array(room)
  }

  record(outcome: Parameters<JudgedLog['record']>[0]): void {
    const { result, startedAt, latencyMs, orgId, agentId, sessionId = '' } = outcome
    const subject = { orgId, agentId, sessionId }
    if (!isJudged(result) || startedAt < this.#since || this.#isOfBefore(startedAt, subject)) return
    const at = this.#next % this.capacity
    if (at === this.#kinds.length) this.#grow()
    this.#endedAt[at] = this.clock.monotonic()
    this.#latencyMs[at] = boundedMs(latencyMs)
    this.#kinds[at] = result === 'ok' ? OK : result === 'error' ? ERROR : TIMEOUT
    this.#subjects[at] = subject
    this.#next += 1
  }

  tally(who: (subject: ScopeSubject) => boolean, reach: LogReach): Tally {
    const sum = new TallySum()
    this.#walk(who, reach, (at) => void this.#add(sum, at))
    return { ...sum }
  }

  byId(
    dimension: ScopeDimension,
    who: (subject: ScopeSubject) => boolean,
    reach: LogReach,
  ): ReadonlyMap<string, Tally> {
    const sums = new Map<string, TallySum>()
    this.#walk(who, reach, (at, subject) => {
      const id = idIn(dimension, subject)
      const sum = sums.get(id) ?? new TallySum()
      sums.set(id, sum)
      this.#add(sum, at)
      return true
    })
    return sums
  }

  streak(who: (subject: ScopeSubject) => boolean, atMost: number): Streak {
    const sessions = new Set<string>()
    let failures = 0
    const reach = { fastMs: 0, atLeast: Number.POSITIVE_INFINITY, windowMs: STREAK_MS }
    this.#walk(who, reach, (at, { sessionId }) => {
      if (failures === atMost || this.#kinds[at] === OK) return false
      failures += 1
      sessions.add(sessionId)
      return true
    })
    return { failures, sessions: sessions.size }
  }

  restart(since: number, scope?: Scope): void {
    if (scope === undefined) {
      this.#since = since
      this.#scoped = undefined
      this.#kinds.fill(NOT_COUNTED)
      return
    }
    this.#scoped = { scope, since }
    for (let index = this.#oldest; index < this.#next; index += 1) {
      const subject = this.#subjects[index % this.capacity]
      if (subject !== undefined && covers(scope, subject)) this.#kinds[index % this.capacity] = NOT_COUNTED
    }
  }

  /** Twice the room, up to the capacity; the rings are full, and have not begun anew. */
  #grow(): void {
    const room = Math.min(2 * this.#kinds.length, this.capacity)
    const [endedAt, latencyMs, kinds] = [this.#endedAt, this.#latencyMs, this.#kinds]
    this.#endedAt = new Float64Array(room)
    this.#endedAt.set(endedAt)
    this.#latencyMs = new Float64Array(room)
    this.#latencyMs.set(latencyMs)
    this.#kinds = new Uint8Array(room)
    this.#kinds.set(kinds)
  }

  get #oldest(): number {
    return Math.max(0, this.#next - this.capacity)
  }

  #isOfBefore(startedAt: number, subject: ScopeSubject): boolean {
    return this.#scoped !== undefined && startedAt < this.#scoped.since && covers(this.#scoped.scope, subject)
  }

  /** The newest first, as far as the reach goes, or until `visit` says false. */
  #walk(
    who: (subject: ScopeSubject) => boolean,
    { fastMs, atLeast, windowMs }: LogReach,
    visit: (at: number, kept: Kept) => boolean | undefined,
  ): void {
    const now = this.clock.monotonic()
    let found = 0
    for (let index = this.#next - 1; index >= this.#oldest; index -= 1) {
      const at = index % this.capacity
      const ageMs = now - (this.#endedAt[at] ?? 0)
      if (ageMs >= windowMs || (ageMs >= fastMs && found >= atLeast)) return
      const subject = this.#subjects[at]
      if (this.#kinds[at] === NOT_COUNTED || subject === undefined || !who(subject)) continue
      found += 1
      if (visit(at, subject) === false) return
    }
  }

  #add(sum: TallySum, at: number): void {
    const kind = this.#kinds[at]
    sum.total += 1
    sum.errors += kind === OK ? 0 : 1
    sum.timeouts += kind === TIMEOUT ? 1 : 0
    sum.latencySumMs += this.#latencyMs[at] ?? 0
  }
}
