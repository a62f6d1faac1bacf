import { systemClock } from '../../src/core/clock.js'
import type { Outcome } from '../../src/execution/outcome.js'
import type { Command, Fallback, FallbackEvent, FallbackSnapshot } from '../../src/fallback/fallback.js'
import type { KeptExecution } from '../../src/journal/comparison.js'
import {
  type Journal,
  JournalUnavailable,
  type KeptTransition,
  type Transition,
} from '../../src/journal/journal.js'
import { createMemoryJournal } from '../../src/journal/memory/memory-journal.js'
import type { PublicWindows } from '../../src/metrics/windows/windows.js'
import type { WindowMetrics } from '../../src/protocol/fallback.js'
import type { Decision, ExecutionMode } from '../../src/protocol/modes.js'
import { NEUTRAL, type Override } from '../../src/store/override/override.js'
import { UNBOUNDED_RETENTION } from './unbounded-retention.js'

/** Neighbours of the request edge around the fallback, as small as they can be; the test turns the knobs. */

export interface FakeFallback extends Fallback {
  /** what `snapshot` and `command` answer */
  now: FallbackSnapshot
  /** replaces the provider's word where it is set */
  own: { readonly on: boolean } | undefined
  readonly commands: Command[]
  readonly decided: { readonly decision: Decision; readonly modeWithoutOverride: ExecutionMode }[]
  readonly outcomes: Outcome[]
  emit(event: FallbackEvent): void
  readonly listeners: number
  loseRuntime(): void
  /** what `mayReturn` answers */
  runtimeWell: boolean
}

export const QUIET: FallbackSnapshot = {
  override: NEUTRAL,
  persisted: true,
  propagated: true,
  policy: 'auto',
  probe: { healthy: true, failures: 0, at: Date.UTC(2026, 0, 1) },
  lease: { mine: false },
  isolated: false,
  alerts: [],
  replica: 'replica-1',
}

export function fakeFallback(): FakeFallback {
  const listeners = new Set<(event: FallbackEvent) => void>()
  const lost = new Set<() => void>()
  const fake: FakeFallback = {
    now: QUIET,
    runtimeWell: false,
    own: undefined,
    commands: [],
    decided: [],
    outcomes: [],
    emit: (event) => {
      for (const listener of listeners) listener(event)
    },
    get listeners() {
      return listeners.size
    },
    overrideFor: (_subject, { on }) =>
      fake.own === undefined ? { on, whose: 'provider' } : { ...fake.own, whose: 'own' },
    turnDecided: (decision, modeWithoutOverride) => fake.decided.push({ decision, modeWithoutOverride }),
    record: (outcome) => fake.outcomes.push(outcome),
    snapshot: () => fake.now,
    async command(command) {
      fake.commands.push(command)
      fake.now = { ...fake.now, override: obeyed(fake.now.override, command) }
      return fake.now
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    onRuntimeLost(listener) {
      lost.add(listener)
      return () => lost.delete(listener)
    },
    mayReturn: () => fake.runtimeWell,
    loseRuntime() {
      for (const listener of lost) listener()
    },
  }
  return fake
}

function obeyed(override: Override, command: Command): Override {
  const revision = override.revision + 1
  if (command.kind === 'reset') return { ...NEUTRAL, actor: 'manual', revision }
  const { reason, orgIds } = command
  return {
    ...override,
    actor: 'manual',
    revision,
    manual:
      orgIds === undefined
        ? { scope: 'all', reason }
        : { scope: 'orgs', target: { kind: 'orgs', orgIds }, reason },
  }
}

export const NOTHING: WindowMetrics = {
  total: 0,
  success: 0,
  error: 0,
  timeout: 0,
  avgLatencyMs: 0,
  errorRate: 0,
  timeoutRate: 0,
  aborted: 0,
  rejected: 0,
  abandoned: 0,
  p50LatencyMs: 0,
  p95LatencyMs: 0,
  p99LatencyMs: 0,
  avgFirstContentMs: 0,
  p95FirstContentMs: 0,
}

export interface FakeWindows extends PublicWindows {
  /** what is read, by mode, or by `org/mode`; nothing where it is not set */
  readonly held: Map<string, WindowMetrics>
  readonly outcomes: Outcome[]
}

export function fakeWindows(): FakeWindows {
  const held = new Map<string, WindowMetrics>()
  const outcomes: Outcome[] = []
  return {
    held,
    outcomes,
    record: (outcome) => outcomes.push(outcome),
    overall: (mode) => held.get(mode) ?? NOTHING,
    ofOrg: (orgId, mode) => held.get(`${orgId}/${mode}`) ?? NOTHING,
    resize: () => undefined,
    clear: (mode) => {
      for (const key of held.keys()) if (key.endsWith(mode)) held.delete(key)
    },
    droppedOrgs: 0,
  }
}

/** What the edge has of the journal; what is kept through it, a journal in memory has. */
export interface FakeJournal
  extends Omit<Journal, 'notifications' | 'keepTransition' | 'keepSample' | 'samples' | 'close'> {
  /** oldest first */
  readonly kept: KeptTransition[]
  /** of users' turns */
  readonly executed: KeptExecution[]
  available: boolean
}

export function fakeJournal(): FakeJournal {
  const memory = createMemoryJournal({ clock: systemClock, retention: UNBOUNDED_RETENTION })
  const check = (): void => {
    if (!journal.available) throw new JournalUnavailable('the disk is away')
  }
  const journal: FakeJournal = {
    kept: [],
    executed: [],
    available: true,
    dropped: 0,
    keepComparison: (comparison) => memory.keepComparison(comparison),
    keepDrop: (drop) => memory.keepDrop(drop),
    keepExecution(execution) {
      journal.executed.push(execution)
      memory.keepExecution(execution)
    },
    async transitions(limit, beforeId = Number.POSITIVE_INFINITY) {
      check()
      return journal.kept
        .filter(({ id }) => id < beforeId)
        .reverse()
        .slice(0, limit)
    },
    keepFlagEdit: (edit) => memory.keepFlagEdit(edit),
    keepRolloutChange: (change) => memory.keepRolloutChange(change),
    async rolloutChanges(limit, beforeId) {
      check()
      return memory.rolloutChanges(limit, beforeId)
    },
    judged(span) {
      check()
      return memory.judged(span)
    },
    observations(span) {
      check()
      return memory.observations(span)
    },
    async flagEdits(limit, beforeId) {
      check()
      return memory.flagEdits(limit, beforeId)
    },
    async comparisonSums(query) {
      check()
      return memory.comparisonSums(query)
    },
    async *pairs(query) {
      check()
      yield* memory.pairs(query)
    },
    async comparisonContents(query, limit) {
      check()
      return memory.comparisonContents(query, limit)
    },
    async drops(query) {
      check()
      return memory.drops(query)
    },
    async erase(who) {
      check()
      return memory.erase(who)
    },
    async *executedFor(span) {
      check()
      yield* memory.executedFor(span)
    },
    async *executions(span) {
      check()
      yield* memory.executions(span)
    },
  }
  return journal
}

/** A trip because of errors; the test overrides what it is about. */
export function sampleTransition(overrides: Partial<Transition> = {}): Transition {
  return {
    at: Date.UTC(2026, 0, 1, 12),
    from: 'normal',
    to: 'fallback',
    manualFrom: 'none',
    manualTo: 'none',
    actor: 'auto',
    replica: 'replica-1',
    cause: 'error_rate',
    value: 0.55,
    threshold: 0.5,
    trips: 1,
    revision: 7,
    evidence: { total: 20 },
    guardrails: { errorRate: 0.5 },
    ...overrides,
  }
}
