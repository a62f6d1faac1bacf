import type { Clock, Timer } from '../../core/clock.js'
import type { DroppedShadow } from '../comparison.js'
import { type DropEntry, dropEntry } from '../entries.js'

const MINUTE_MS = 60_000
/** orgs, agents, modes and reasons told apart in a minute: a row each, whatever the number of tenants */
const MOST_NAMED = 100
/** rows that may wait at once; only instants of many different minutes lead there */
const MOST_ROWS = 1_000

/** The minute of an instant is the least that is told of a drop: a span that begins within one has all of its drops. */
export const beginOfMinute = (at: number): number => Math.floor(at / MINUTE_MS) * MINUTE_MS

/**
 * Counts dropped shadows by the minute of their turn, its mode, org, agent, reason and kind. Within a minute the first 100 of those
 * are told apart, the rest only by mode and reason: what is written stays bounded, and every drop counts.
 */
export class DropMinutes {
  readonly #rows = new Map<string, DropEntry>()
  /** in this minute */
  readonly #named = new Set<string>()
  #timer: Timer | undefined

  /** @param onEnd of a minute in which something was counted */
  constructor(
    private readonly clock: Clock,
    private readonly onEnd: () => void,
  ) {}

  /** False if it could not be counted. */
  add(drop: DroppedShadow): boolean {
    const entry = dropEntry(drop, MINUTE_MS)
    if (entry === undefined) return false
    const isNamed = this.#isNamed(nameOf(entry))
    const counted = this.#count(isNamed ? entry : { ...entry, orgId: null, agentId: null })
    if (counted) this.#timer ??= this.#schedule()
    return counted
  }

  /** What was counted and not taken yet, a row for each. */
  rows(): readonly DropEntry[] {
    return [...this.#rows.values()]
  }

  /** The same; they are the caller's now. */
  take(): readonly DropEntry[] {
    const rows = this.rows()
    this.#rows.clear()
    return rows
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #isNamed(key: string): boolean {
    if (this.#named.has(key)) return true
    if (this.#named.size >= MOST_NAMED) return false
    this.#named.add(key)
    return true
  }

  #count(entry: DropEntry): boolean {
    const key = keyOf(entry)
    const turns = (this.#rows.get(key)?.turns ?? 0) + entry.turns
    if (turns === entry.turns && this.#rows.size >= MOST_ROWS) return false
    this.#rows.set(key, { ...entry, turns })
    return true
  }

  #schedule(): Timer {
    const left = MINUTE_MS - (this.clock.wall() % MINUTE_MS)
    return this.clock.schedule(left, () => {
      this.#timer = undefined
      this.#named.clear()
      this.onEnd()
    })
  }
}

const keyOf = ({ kind, ...rest }: DropEntry): string => `${nameOf(rest)}${kind ?? ''}`

/** Both kinds of one name are told apart together. */
const nameOf = ({ at, replica, controlMode, orgId, agentId, reason }: Omit<DropEntry, 'kind'>): string =>
  JSON.stringify([at, replica, controlMode, orgId, agentId, reason])
