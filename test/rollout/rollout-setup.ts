import type { Outcome } from '../../src/execution/outcome.js'
import type { Alert } from '../../src/fallback/fallback.js'
import { createJudgedWindow } from '../../src/metrics/windows/judged-window.js'
import type { JudgedWindow } from '../../src/metrics/windows/windows.js'
import type { RolloutChangeRecord } from '../../src/protocol/rollout.js'
import type { OpsMode, RolloutCommand } from '../../src/rollout/rollout.js'
import { createRollout, type RunningRollout } from '../../src/rollout/rollout-loop.js'
import {
  createMemoryFiles,
  createMemoryFlagStore,
  type MemoryFiles,
} from '../../src/store/file/memory-flag-store.js'
import type { FlagStoreFault } from '../../src/store/flag-store.js'
import { NEUTRAL, type Override } from '../../src/store/override/override.js'
import { renderOverride } from '../../src/store/override/override-document.js'
import type { Rollout, RolloutPlan } from '../../src/store/rollout/rollout.js'
import { parseRollout } from '../../src/store/rollout/rollout-document.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { DEFAULT_FLAGS } from '../support/edge.js'
import { type ManualClock, manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'

export const PLAN: RolloutPlan = { stages: [1, 5, 25, 100], everyMinutes: 1 }
export const start = (plan: RolloutPlan = PLAN): RolloutCommand => ({
  kind: 'start',
  userId: 'ops',
  plan,
  reason: '',
})

/** The override's file, with a lease of the rollout's own. */
export const newFiles = (): MemoryFiles => createMemoryFiles(renderOverride(NEUTRAL))

/** A loop on a clock of the test's, over files in memory, beside a fallback and flags that the test sets. */
export function setUpRollout(
  options: {
    files?: MemoryFiles
    replica?: string
    clock?: ManualClock
    guardrails?: object
    judged?: JudgedWindow
  } = {},
) {
  const clock = options.clock ?? manualClock()
  const { logger, lines } = capturingLogger()
  const files = options.files ?? newFiles()
  const knobs = {
    opsMode: 'direct' as OpsMode,
    override: NEUTRAL as Override,
    isolated: false,
    alerts: [] as Alert[],
    healthy: true,
    /** the revision that the provider gives back; undefined: that of the file */
    provided: undefined as number | undefined,
    writeFault: undefined as FlagStoreFault | undefined,
    readFault: undefined as FlagStoreFault | undefined,
    flagsFail: false,
  }
  const kept: RolloutChangeRecord[] = []
  const notified: RolloutChangeRecord[] = []
  const listeners = new Set<() => void>()
  const rollout: RunningRollout = createRollout({
    clock,
    logger,
    replica: options.replica ?? 'replica-1',
    nonce: `nonce-${options.replica ?? '1'}`,
    random: () => 0,
    flags: {
      async forService() {
        if (knobs.flagsFail) throw new Error('no flags today')
        return { modeForAll: knobs.opsMode, rolloutRevision: knobs.provided ?? revisionIn(files.override) }
      },
      onChange(listener) {
        const call = () => listener([])
        listeners.add(call)
        return () => listeners.delete(call)
      },
    },
    store: createMemoryFlagStore(files, {
      fault: (call) => (call === 'write' ? knobs.writeFault : knobs.readFault),
    }),
    fallback: {
      guardrails: { ...DEFAULT_FLAGS.guardrails, ...options.guardrails },
      snapshot: () => ({
        override: knobs.override,
        isolated: knobs.isolated,
        alerts: knobs.alerts,
        probe: { healthy: knobs.healthy, failures: knobs.healthy ? 0 : 3 },
      }),
    },
    judged: options.judged ?? createJudgedWindow(clock),
    keep: (change) => void kept.push(change),
    notify: (change) => void notified.push(change),
  })
  /** In steps, so that promises settle between timers. */
  const passes = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 250) {
      clock.advance(Math.min(250, left))
      await settled()
    }
  }
  return {
    clock,
    rollout,
    files,
    knobs,
    kept,
    notified,
    lines,
    flagsChanged: () => listeners.forEach((listener) => void listener()),
    passes,
    async start(): Promise<void> {
      const started = rollout.start()
      for (let turn = 0; turn < 3; turn += 1) {
        clock.advance(0)
        await settled()
      }
      await started
    },
    async stop(): Promise<void> {
      await rollout.stop()
    },
    async asks(command: RolloutCommand) {
      const asked = rollout.command(command)
      await passes(500)
      return asked
    },
    /** Executions that began just now. */
    executes(count: number, result: 'ok' | 'error' = 'ok', latencyMs = 900) {
      for (let at = 0; at < count; at += 1) rollout.record(outcomeAt(clock, result, latencyMs))
    },
    get percent() {
      return percentIn(files.override)
    },
  }
}

let sessions = 0

export function outcomeAt(clock: ManualClock, result: 'ok' | 'error', latencyMs: number): Outcome {
  sessions += 1
  const execution = {
    mode: 'runtime_orchestrator',
    orgId: 'org-1',
    agentId: 'agent-1',
    sessionId: `session-${sessions}`,
    startedAt: clock.monotonic(),
    latencyMs,
  } as const
  return result === 'ok'
    ? { ...execution, result }
    : { ...execution, result, code: 'runtime_unreachable', phase: 'connect' }
}

/** Read once for each text, as most looks find the file unchanged. */
let lastRead: { readonly text: string; readonly rollout: Rollout | undefined } | undefined

function rolloutIn(text: string | undefined): Rollout | undefined {
  if (text === undefined) return undefined
  if (lastRead?.text !== text) {
    const parsed = parseRollout(text)
    lastRead = { text, rollout: parsed.kind === 'rollout' ? parsed.rollout : undefined }
  }
  return lastRead.rollout
}

const revisionIn = (text: string | undefined): number => rolloutIn(text)?.revision ?? 0

export function percentIn(text: string | undefined): number {
  const progress = rolloutIn(text)?.progress
  return progress?.state === 'running' || progress?.state === 'paused'
    ? (progress.plan.stages[progress.stage] ?? 0)
    : progress?.state === 'finished'
      ? (progress.plan.stages.at(-1) ?? 0)
      : 0
}
