import type { Outcome } from '../../execution/outcome.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import type { Scope, ScopeDimension, ScopeSubject } from '../../protocol/fallback-scope.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import type { Streak } from './failure-streak.js'
import type { FirstContent } from './first-contents.js'

/** What is judged of some executions; aborted ones are not in it. A timeout is also an error. */
export interface Tally {
  readonly total: number
  readonly errors: number
  readonly timeouts: number
  /** ms, over `total` */
  readonly latencySumMs: number
}

/**
 * The judged window of one backend: only executions started since its last `restart`. Times on the monotonic clock.
 * Recording and reading cost the same whatever it holds.
 */
export interface JudgedWindow {
  record(outcome: Outcome): void
  /** Over the last `windowMs`. */
  tally(windowMs: number): Tally
  /** Over the newest `fastMs`, reaching back (at most to `windowMs`) until it holds `atLeast` executions. */
  newest(fastMs: number, atLeast: number, windowMs: number): Tally
  /** The newest executions, `atMost` of them, as long as all failed. */
  streak(atMost: number): Streak
  /** Time to the first content of those that got any, in the reach of `newest`; of the newest 2048 at most. */
  firstContent(fastMs: number, atLeast: number, windowMs: number): FirstContent
  /** Forgets everything; executions started before `since` (monotonic ms) will not count. */
  restart(since: number): void
}

/** Over the newest `fastMs`, reaching back (at most to `windowMs`) until it holds `atLeast` executions. */
export interface LogReach {
  readonly fastMs: number
  readonly atLeast: number
  readonly windowMs: number
}

/**
 * The newest judged executions of the runtime one by one, to be told apart by org and agent. Times on the monotonic clock.
 * Recording costs the same whatever it holds; a reading walks over it. Bounded: of very many only the newest are there.
 */
export interface JudgedLog {
  record(outcome: Outcome): void
  /** Of those that `who` picks. */
  tally(who: (subject: ScopeSubject) => boolean, reach: LogReach): Tally
  /** ... by org or agent. */
  byId(
    dimension: ScopeDimension,
    who: (subject: ScopeSubject) => boolean,
    reach: LogReach,
  ): ReadonlyMap<string, Tally>
  /** Of those that `who` picks the newest, `atMost` of them, as long as all failed. */
  streak(who: (subject: ScopeSubject) => boolean, atMost: number): Streak
  /** Forgets everything, or all of a scope; what of it started before `since` will not count. */
  restart(since: number, scope?: Scope): void
}

/** The public windows: per mode, and per mode and org, over the last `windowSeconds`. */
export interface PublicWindows {
  /** O(1) in the window's size */
  record(outcome: Outcome): void
  overall(mode: ExecutionMode): WindowMetrics
  /** of an org never seen, or dropped: all zero */
  ofOrg(orgId: string, mode: ExecutionMode): WindowMetrics
  /** Keeps the records, as far as the new length reaches. */
  resize(windowSeconds: number): void
  /** Forgets one mode, of all orgs. */
  clear(mode: ExecutionMode): void
  /** orgs dropped because there were too many (least recently used first), since the start */
  readonly droppedOrgs: number
}
