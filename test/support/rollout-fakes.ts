import type { Outcome } from '../../src/execution/outcome.js'
import type { RolloutChangeRecord } from '../../src/protocol/rollout.js'
import type {
  GuardedRollout,
  RolloutCommand,
  RolloutEvent,
  RolloutSnapshot,
} from '../../src/rollout/rollout.js'
import { NO_ROLLOUT, type RolloutProgress } from '../../src/store/rollout/rollout.js'

/** A rollout as the request edge knows it, as small as it can be; the test turns the knobs. */
export interface FakeRollout extends GuardedRollout {
  /** what `snapshot` and `command` answer */
  now: RolloutSnapshot
  /** replaces the provider's word where it is set */
  own: { readonly on: boolean } | undefined
  /** a command changes nothing */
  isStuck: boolean
  readonly commands: RolloutCommand[]
  readonly outcomes: Outcome[]
  emit(event: RolloutEvent): void
}

export const NO_SNAPSHOT: RolloutSnapshot = {
  rollout: NO_ROLLOUT,
  percent: 0,
  persisted: true,
  propagated: true,
  opsMode: 'direct',
  verdict: null,
  evidence: { total: 0, errors: 0, timeouts: 0, avgLatencyMs: 0 },
  waitsFor: null,
  secondsLeft: null,
  lease: { mine: false },
  alerts: [],
  replica: 'replica-1',
}

export function fakeRollout(): FakeRollout {
  const listeners = new Set<(event: RolloutEvent) => void>()
  const fake: FakeRollout = {
    now: NO_SNAPSHOT,
    own: undefined,
    isStuck: false,
    commands: [],
    outcomes: [],
    emit: (event) => {
      for (const listener of listeners) listener(event)
    },
    shareFor: (_subject, { on }) =>
      fake.own === undefined ? { on, whose: 'provider' } : { ...fake.own, whose: 'own' },
    record: (outcome) => {
      fake.outcomes.push(outcome)
    },
    snapshot: () => fake.now,
    async command(command) {
      fake.commands.push(command)
      if (!fake.isStuck) {
        const { rollout } = fake.now
        const progress = obeyed(rollout.progress, command)
        fake.now = { ...fake.now, rollout: { ...rollout, progress, revision: rollout.revision + 1 } }
      }
      return fake.now
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return fake
}

function obeyed(progress: RolloutProgress, command: RolloutCommand): RolloutProgress {
  switch (command.kind) {
    case 'start':
      return { state: 'running', plan: command.plan, stage: 0, since: 0 }
    case 'pause':
      return progress.state === 'running'
        ? { ...progress, state: 'paused', reason: command.reason }
        : progress
    case 'resume':
      return progress.state === 'paused' ? { ...progress, state: 'running' } : progress
    case 'abort':
      return progress.state === 'none'
        ? progress
        : { state: 'ended', plan: progress.plan, how: 'aborted', since: 0, reason: command.reason }
    case 'flags_edited':
      return progress
  }
}

export function sampleChange(over: Partial<RolloutChangeRecord> = {}): RolloutChangeRecord {
  return {
    at: Date.UTC(2026, 0, 31, 8),
    kind: 'raised',
    from: 'running',
    to: 'running',
    fromPercent: 5,
    toPercent: 25,
    stages: [1, 5, 25, 100],
    everyMinutes: 10,
    orgIds: null,
    agentIds: null,
    actor: 'auto',
    replica: 'replica-1',
    userId: null,
    cause: null,
    value: null,
    threshold: null,
    evidence: { total: 120, errors: 1, timeouts: 0, avgLatencyMs: 900 },
    revision: 7,
    reason: '',
    ...over,
  }
}
