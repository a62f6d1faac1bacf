import type { Clock } from '../core/clock.js'
import type { LoopGuardrails } from '../fallback/loop/running-fallback.js'
import type { JudgedExecution } from '../journal/comparison.js'
import type { Journal, Transition } from '../journal/journal.js'
import type { FallbackStateName } from '../protocol/fallback.js'
import { eventOf, merged } from './kept-events.js'
import { type ReplayEvent, replayEvidence } from './replay-evidence.js'

/** Wall-clock ms. */
export interface ReplayRequest {
  readonly from: number
  readonly to: number
  readonly guardrails: LoopGuardrails
}

/** What some transitions came to within the span. */
export interface ReplaySums {
  readonly trips: number
  readonly fallbackMs: number
  readonly recoveringMs: number
}

/** One side of the answer. */
export interface ReplaySide extends ReplaySums {
  readonly stateAtStart: FallbackStateName
  /** oldest first */
  readonly transitions: readonly Transition[]
}

export interface ReplayAnswer {
  readonly replayed: ReplaySide
  /** what happened, as the journal has it */
  readonly happened: ReplaySide
  /** wall-clock ms up to which both are told */
  readonly until: number
  readonly partial?: 'time' | 'rows' | 'transitions'
  readonly evidence: {
    readonly executions: number
    readonly shadows: number
    readonly probeVerdicts: number
    readonly commands: number
    /** wall-clock ms of the first entry; absent where there is none */
    readonly since?: number
  }
}

export interface ReplayBounds {
  /** ms of one replay, reading included */
  readonly ms: number
  /** executions that are looked at */
  readonly executions: number
  /** of probes and commands; they are held in memory */
  readonly observations: number
  /** of each side */
  readonly transitions: number
}

/** A busy day takes some seconds; memory holds the observations, one page of executions and the transitions: 10 MB at most. */
export const REPLAY_BOUNDS: ReplayBounds = {
  ms: 20_000,
  executions: 500_000,
  observations: 50_000,
  transitions: 500,
}

export interface ReplayDeps {
  readonly journal: Pick<Journal, 'judged' | 'observations' | 'transitions'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly bounds?: ReplayBounds
}

/** ms of the span before, by which the windows are full when it begins */
const LEAD_MS = 3_600_000
/** ms of the event loop a replay takes at a time */
const SLICE_MS = 4
/** transitions read at once */
const PAGE = 200

/** Kept evidence through the fallback's own loop with other guardrails. Reads the journal alone. @throws JournalUnavailable */
export async function replay(
  { from, to, guardrails }: ReplayRequest,
  { journal, clock, bounds = REPLAY_BOUNDS }: ReplayDeps,
): Promise<ReplayAnswer> {
  const endAt = clock.monotonic() + bounds.ms
  const isLate = (): boolean => clock.monotonic() >= endAt
  const start = from - Math.max(LEAD_MS, guardrails.windowSeconds * 1000)
  const observed = await observations(journal, { from: start, to }, bounds.observations)
  const seen = { executions: 0, shadows: 0, since: observed.events[0]?.at }
  let isCut = false
  async function* counted(): AsyncGenerator<readonly JudgedExecution[]> {
    for await (const page of journal.judged({ from: start, to })) {
      seen.since = Math.min(seen.since ?? Number.POSITIVE_INFINITY, page[0]?.at ?? Number.POSITIVE_INFINITY)
      for (const { shadow } of page) seen[shadow ? 'shadows' : 'executions'] += 1
      yield page
      isCut = seen.executions + seen.shadows >= bounds.executions
      if (isCut) return
    }
  }
  const told = await replayEvidence(merged(counted(), observed.events), {
    from: start,
    reportFrom: from,
    // What is beyond what could be read is not guessed at.
    to: observed.until,
    guardrails,
    maxTransitions: bounds.transitions,
    settle: slices(clock),
    isOver: () => isLate() || isCut,
  })
  const reached = Math.max(from, Math.min(told.until, to))
  const happened = await happenedWithin(journal, from, reached, bounds.transitions)
  const { until } = happened
  const endedBy = until < reached ? 'transitions' : told.endedBy
  const partial = partialOf(endedBy, isCut || observed.until < to)
  const { executions, shadows, since } = seen
  const replayed = told.transitions.filter(({ at }) => at <= until)
  return {
    replayed: sideOf(told.stateAtStart, replayed, from, until),
    happened: sideOf(happened.stateAtStart, happened.transitions, from, until),
    until,
    ...(partial === undefined ? {} : { partial }),
    evidence: {
      executions,
      shadows,
      probeVerdicts: observed.events.filter(({ kind }) => kind === 'probe').length,
      commands: observed.events.filter(({ kind }) => kind === 'command').length,
      ...(since === undefined || !Number.isFinite(since) ? {} : { since }),
    },
  }
}

function partialOf(endedBy: 'end' | 'budget' | 'transitions', isCut: boolean): ReplayAnswer['partial'] {
  if (endedBy === 'transitions') return 'transitions'
  if (isCut) return 'rows'
  return endedBy === 'budget' ? 'time' : undefined
}

/** Only where the verdict of the probes changed; a journal has one with each tick that it kept. */
async function observations(
  journal: ReplayDeps['journal'],
  span: { readonly from: number; readonly to: number },
  most: number,
): Promise<{ readonly events: readonly ReplayEvent[]; readonly until: number }> {
  const events: ReplayEvent[] = []
  let isHealthy: boolean | undefined
  for await (const page of journal.observations(span))
    for (const observation of page) {
      const event = eventOf(observation)
      if (event === undefined) continue
      if (event.kind === 'probe') {
        if (event.healthy === isHealthy) continue
        isHealthy = event.healthy
      }
      if (events.length >= most) return { events, until: event.at }
      events.push(event)
    }
  return { events, until: span.to }
}

/** Ends when all promises of the simulation have settled; now and then the event loop has its turn, and as long for others. */
function slices(clock: Pick<Clock, 'monotonic'>): () => Promise<void> {
  let endAt = clock.monotonic() + SLICE_MS
  return async () => {
    if (clock.monotonic() < endAt) {
      await new Promise<void>((resolve) => process.nextTick(resolve))
      return
    }
    await new Promise((resolve) => setTimeout(resolve, SLICE_MS))
    endAt = clock.monotonic() + SLICE_MS
  }
}

interface Happened {
  readonly stateAtStart: FallbackStateName
  readonly transitions: readonly Transition[]
  readonly until: number
}

/** What the journal has of the span: at most so many, the oldest; `until` is the last one's instant where there are more. */
async function happenedWithin(
  journal: ReplayDeps['journal'],
  from: number,
  to: number,
  most: number,
): Promise<Happened> {
  let found: Transition[] = []
  let isMore = false
  let stateAtStart: FallbackStateName | undefined
  // The journal gives the newest first, and keeps a bounded number.
  for (let before: number | undefined; stateAtStart === undefined; ) {
    const page = await journal.transitions(PAGE, before)
    stateAtStart = page.find(({ at }) => at < from)?.to
    found.push(...page.filter(({ at }) => at >= from && at <= to))
    isMore ||= found.length > most
    found = found.slice(-most)
    before = page.at(-1)?.id
    if (before === undefined || page.length < PAGE) break
  }
  const transitions = found.reverse()
  return {
    stateAtStart: stateAtStart ?? transitions[0]?.from ?? 'normal',
    transitions,
    until: isMore ? (transitions.at(-1)?.at ?? to) : to,
  }
}

function sideOf(
  stateAtStart: FallbackStateName,
  transitions: readonly Transition[],
  from: number,
  until: number,
): ReplaySide {
  const spent = { normal: 0, fallback: 0, recovering: 0 }
  let [state, since] = [stateAtStart, from]
  for (const { at, to } of transitions) {
    spent[state] += at - since
    state = to
    since = at
  }
  spent[state] += Math.max(0, until - since)
  const trips = transitions.filter(({ kind }) => kind === 'trip' || kind === 'relapse').length
  return { stateAtStart, transitions, trips, fallbackMs: spent.fallback, recoveringMs: spent.recovering }
}
