import type { ExecutionErrorCode, ExecutionPhase } from '../protocol/execution-codes.js'
import type { ExecutionMode } from '../protocol/modes.js'

/** How long a turn waits for what; all in ms. The guardrails fit it. */
export interface Deadlines {
  readonly connectMs: number
  /** from the connection to the response head */
  readonly headersMs: number
  /** from the response head to the first event that commits */
  readonly firstContentMs: number
  /** between any two mapped events */
  readonly gapMs: number
  /** of the whole turn */
  readonly totalMs: number
}

/** The direct LLM's own: nobody answers after it, and a cold local model takes a minute to load. In ms, as above. */
export type LlmDeadlines = Omit<Deadlines, 'totalMs'>

/** The limits of an execution on this backend. */
export function limitsOf<L extends Deadlines & { readonly llm?: LlmDeadlines }>(
  mode: ExecutionMode,
  limits: L,
): L {
  return mode === 'direct_llm' && limits.llm !== undefined ? { ...limits, ...limits.llm } : limits
}

/** ms of `totalMs` one execution may use. */
export interface Allowance {
  readonly beforeCommit: number
  readonly inAll: number
}

/** How far an execution is; instants in ms of its own active time (pauses by a slow reader left out). */
export interface Progress {
  connected: boolean
  headersAt: number | undefined
  /** of the direct LLM alone: its latest thinking, while which flows the first content is not late */
  thinkingAt: number | undefined
  lastEventAt: number | undefined
  committed: boolean
}

/** How far one execution is, as the deadlines see it. The instant of the latest event is written with each event. */
export class ExecutionProgress implements Progress {
  connected = false
  headersAt: number | undefined
  thinkingAt: number | undefined
  committed = false
  /** NaN: none yet. A plain number is written in place, where one that may be undefined is a new object each time. */
  #lastEventAt = Number.NaN

  get lastEventAt(): number | undefined {
    return Number.isNaN(this.#lastEventAt) ? undefined : this.#lastEventAt
  }

  set lastEventAt(at: number | undefined) {
    this.#lastEventAt = at ?? Number.NaN
  }
}

/** A missed deadline and where it was missed. */
export interface Missed {
  readonly code: ExecutionErrorCode
  readonly phase: ExecutionPhase
}

// Connect and headers are the backend's to hold; ours strikes only where a backend forgets them.
const GUARD_MS = 500

/** Before the commit point the runtime leaves the direct LLM time for its own first content (≤ 0: half of the total). */
export function runtimeAllowance(limits: Deadlines): Allowance {
  const left = limits.totalMs - limits.firstContentMs
  return { beforeCommit: left > 0 ? left : limits.totalMs / 2, inAll: limits.totalMs }
}

/** The second backend, and always the direct LLM, has the time that the turn has left. */
export function leftAllowance(limits: Deadlines, usedMs: number): Allowance {
  const left = Math.max(0, limits.totalMs - usedMs)
  return { beforeCommit: left, inAll: left }
}

/** When the next deadline strikes, in ms of active time. */
export function dueAt(limits: Deadlines, allowance: Allowance, progress: Progress): number {
  let due = progress.committed ? allowance.inAll : allowance.beforeCommit
  if (progress.headersAt === undefined) return Math.min(due, guardAt(limits))
  if (!progress.committed) due = Math.min(due, firstContentDue(limits, progress, progress.headersAt))
  if (progress.lastEventAt !== undefined) due = Math.min(due, progress.lastEventAt + limits.gapMs)
  return due
}

/** Which deadline `dueAt` stands for. */
export function missed(limits: Deadlines, allowance: Allowance, progress: Progress): Missed {
  const phase = phaseOf(progress)
  const due = dueAt(limits, allowance, progress)
  if (due === (progress.committed ? allowance.inAll : allowance.beforeCommit)) {
    return { code: 'total_timeout', phase }
  }
  if (progress.headersAt === undefined) {
    return { code: progress.connected ? 'headers_timeout' : 'connect_timeout', phase }
  }
  const first = !progress.committed && due === firstContentDue(limits, progress, progress.headersAt)
  return { code: first ? 'first_content_timeout' : 'gap_timeout', phase }
}

export function phaseOf(progress: Progress): ExecutionPhase {
  if (progress.committed) return 'streaming'
  if (progress.headersAt !== undefined) return 'first_content'
  return progress.connected ? 'headers' : 'connect'
}

function firstContentDue(limits: Deadlines, { thinkingAt }: Progress, headersAt: number): number {
  return (thinkingAt ?? headersAt) + limits.firstContentMs
}

function guardAt(limits: Deadlines): number {
  return limits.connectMs + limits.headersMs + GUARD_MS
}
