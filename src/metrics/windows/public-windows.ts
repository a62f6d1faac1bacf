import type { Clock } from '../../core/clock.js'
import type { Outcome } from '../../execution/outcome.js'
import { countedAs } from '../../protocol/execution-results.js'
import type { WindowMetrics } from '../../protocol/fallback.js'
import type { ExecutionMode } from '../../protocol/modes.js'
import { OrgWindow } from './org-window.js'
import { RecencyMap } from './recency-map.js'
import { SlidingWindow } from './sliding-window.js'
import { WindowCounts, windowMetrics } from './window-counts.js'
import type { PublicWindows } from './windows.js'

export interface PublicWindowsOptions {
  readonly windowSeconds: number
  /** default 10,000 */
  readonly maxOrgs?: number
  /** what the windows of all orgs may take together, about; default 128 MiB. Beyond it orgs are dropped too. */
  readonly maxOrgBytes?: number
}

/** Slices of a mode's window: 5 s of five minutes. */
const PARTS = 60

interface Org {
  readonly windows: Record<ExecutionMode, OrgWindow | undefined>
  /** monotonic ms of its last record */
  lastAt: number
}

/**
 * The windows of the metrics API. Recording and reading cost the same whatever they hold; what they hold is bounded by
 * `maxOrgs` and `maxOrgBytes`, beyond which the org that recorded nothing for longest is dropped. Reading an org is no use of
 * it: somebody who looks at one org must not push another one out. An org without a record in the window is forgotten, which
 * shows in nothing.
 */
export function createPublicWindows(clock: Clock, options: PublicWindowsOptions): PublicWindows {
  return new Windows(clock, options)
}

class Windows implements PublicWindows {
  readonly #clock: Clock
  readonly #maxOrgs: number
  readonly #maxOrgBytes: number
  #windowMs: number
  readonly #overall: Record<ExecutionMode, SlidingWindow>
  readonly #orgs = new RecencyMap<Org>()
  #orgBytes = 0
  #droppedOrgs = 0

  constructor(clock: Clock, options: PublicWindowsOptions) {
    this.#clock = clock
    this.#maxOrgs = options.maxOrgs ?? 10_000
    this.#maxOrgBytes = options.maxOrgBytes ?? 128 * 1024 * 1024
    this.#windowMs = options.windowSeconds * 1000
    this.#overall = { direct_llm: this.#fresh(), runtime_orchestrator: this.#fresh() }
  }

  get droppedOrgs(): number {
    return this.#droppedOrgs
  }

  record(outcome: Outcome): void {
    const now = this.#clock.monotonic()
    const observed = { ...outcome, result: countedAs(outcome) }
    this.#overall[outcome.mode].record(now, observed)
    const org = this.#orgs.use(outcome.orgId, newOrg)
    org.lastAt = now
    const window = org.windows[outcome.mode] ?? this.#added(org, outcome.mode)
    const before = window.bytes
    window.record(now, observed)
    this.#orgBytes += window.bytes - before
    this.#bound(now)
  }

  overall(mode: ExecutionMode): WindowMetrics {
    return this.#overall[mode].read(this.#clock.monotonic())
  }

  ofOrg(orgId: string, mode: ExecutionMode): WindowMetrics {
    const window = this.#orgs.get(orgId)?.windows[mode]
    if (window === undefined) return windowMetrics(new WindowCounts(), none, none)
    return this.#accounted(window, () => window.read(this.#clock.monotonic()))
  }

  resize(windowSeconds: number): void {
    const now = this.#clock.monotonic()
    const windowMs = windowSeconds * 1000
    if (windowMs === this.#windowMs) return
    this.#windowMs = windowMs
    for (const window of Object.values(this.#overall)) window.resize(now, windowMs)
    for (const [, { windows }] of this.#orgs.entries())
      for (const window of Object.values(windows))
        if (window !== undefined) this.#accounted(window, () => window.resize(now, windowMs))
  }

  clear(mode: ExecutionMode): void {
    this.#overall[mode] = this.#fresh()
    for (const [orgId, { windows }] of this.#orgs.entries()) {
      this.#orgBytes -= windows[mode]?.bytes ?? 0
      windows[mode] = undefined
      if (Object.values(windows).every((window) => window === undefined)) this.#orgs.delete(orgId)
    }
  }

  #fresh(): SlidingWindow {
    return new SlidingWindow(this.#windowMs, PARTS)
  }

  #added(org: Org, mode: ExecutionMode): OrgWindow {
    const window = new OrgWindow(this.#windowMs)
    org.windows[mode] = window
    this.#orgBytes += window.bytes
    return window
  }

  #accounted<T>(window: OrgWindow, act: () => T): T {
    const before = window.bytes
    const result = act()
    this.#orgBytes += window.bytes - before
    return result
  }

  /** Called at each record, so that at most a few orgs go at a time. */
  #bound(now: number): void {
    const edge = now - this.#windowMs
    for (let oldest = this.#orgs.oldest(); oldest !== undefined; oldest = this.#orgs.oldest()) {
      const crowded = this.#orgs.size > this.#maxOrgs || this.#orgBytes > this.#maxOrgBytes
      const idle = oldest.value.lastAt <= edge
      if (!idle && (!crowded || this.#orgs.size === 1)) return
      if (!idle) this.#droppedOrgs += 1
      this.#forget(oldest.key, oldest.value)
    }
  }

  #forget(orgId: string, { windows }: Org): void {
    for (const window of Object.values(windows)) this.#orgBytes -= window?.bytes ?? 0
    this.#orgs.delete(orgId)
  }
}

const none = (): number => 0
const newOrg = (): Org => ({ windows: { direct_llm: undefined, runtime_orchestrator: undefined }, lastAt: 0 })
