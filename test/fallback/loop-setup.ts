import type { Clock } from '../../src/core/clock.js'
import { createFallback } from '../../src/fallback/fallback-loop.js'
import type { FallbackDeps, LoopFlags, LoopGuardrails } from '../../src/fallback/loop/running-fallback.js'
import { createHealthProbe } from '../../src/fallback/probe/probe.js'
import type { HealthAnswer } from '../../src/fallback/probe/probe-request.js'
import type { EvidenceSample, Transition } from '../../src/journal/journal.js'
import { createJudgedLog } from '../../src/metrics/windows/judged-log.js'
import { createJudgedWindow } from '../../src/metrics/windows/judged-window.js'
import { createPublicWindows } from '../../src/metrics/windows/public-windows.js'
import type { FallbackPolicy } from '../../src/protocol/fallback.js'
import {
  createMemoryFiles,
  createMemoryFlagStore,
  type MemoryFiles,
} from '../../src/store/file/memory-flag-store.js'
import type { FlagStore, FlagStoreFault } from '../../src/store/flag-store.js'
import { NEUTRAL } from '../../src/store/override/override.js'
import { parseOverride } from '../../src/store/override/override-document.js'
import { renderOverride } from '../../src/store/override/override-rendering.js'
import { capturingLogger } from '../support/capturing-logger.js'
import { DEFAULT_FLAGS } from '../support/edge.js'
import { manualClock } from '../support/manual-clock.js'
import { settled } from '../support/turn-runner.js'

export const SUBJECT = { orgId: 'org-1', userId: 'user-1', agentId: 'agent-1', sessionId: 'session-1' }

/** A loop on a clock of the test's, over files in memory, with a provider that shows what the test lets it see. */
export function setUpLoop(
  options: {
    files?: MemoryFiles
    replica?: string
    wrap?: (store: FlagStore) => FlagStore
    standby?: FallbackDeps['standby']
    probe?: FallbackDeps['probe']
    keptUsual?: FallbackDeps['keptUsual']
    fleet?: (clock: Clock) => FallbackDeps['fleet']
  } = {},
) {
  const clock = manualClock()
  const fleet = options.fleet?.(clock)
  const { logger, lines } = capturingLogger()
  const files = options.files ?? createMemoryFiles(renderOverride(NEUTRAL))
  const knobs = {
    healthy: true,
    guardrails: { ...DEFAULT_FLAGS.guardrails } as LoopGuardrails,
    policy: 'auto' as FallbackPolicy,
    ready: true,
    /** the text the provider has; undefined: whatever the file holds */
    provided: undefined as string | undefined,
    writeFault: undefined as FlagStoreFault | undefined,
    flagsFail: false,
  }
  let sessions = 0
  const nextSession = (): string => {
    sessions += 1
    return `session-${sessions}`
  }
  const kept: Transition[] = []
  const samples: EvidenceSample[] = []
  const notified: Transition[] = []
  const listeners = new Set<() => void>()
  const store = createMemoryFlagStore(files, {
    fault: (call) => (call === 'write' ? knobs.writeFault : undefined),
  })
  const windows = createPublicWindows(clock, { windowSeconds: 300 })
  const fallback = createFallback({
    clock,
    logger,
    replica: options.replica ?? 'replica-1',
    nonce: 'nonce',
    random: () => 0,
    codeDefaults: { guardrails: knobs.guardrails, policy: 'auto' },
    flags: {
      forService: async (): Promise<LoopFlags> => {
        if (knobs.flagsFail) throw new Error('no flags today')
        const { guardrails, policy, ready } = knobs
        const metadata = metadataIn(knobs.provided ?? files.override)
        return {
          guardrails,
          policy,
          ready,
          ...(metadata === undefined ? {} : { override: { on: false, metadata } }),
        }
      },
      onChange(listener) {
        const call = () => listener([])
        listeners.add(call)
        return () => listeners.delete(call)
      },
    },
    store: options.wrap === undefined ? store : options.wrap(store),
    probe:
      options.probe ??
      (({ onResult, guardrails }) =>
        createHealthProbe({
          url: 'http://127.0.0.1:1',
          clock,
          logger,
          settings: () => ({
            intervalMs: guardrails().probeIntervalMs,
            timeoutMs: guardrails().probeTimeoutMs,
            failures: guardrails().probeFailures,
          }),
          request: async (): Promise<HealthAnswer> =>
            knobs.healthy ? { good: true } : { good: false, code: 'ECONNREFUSED' },
          onResult,
        })),
    judged: {
      runtime: createJudgedWindow(clock),
      direct: createJudgedWindow(clock),
      log: createJudgedLog(clock),
    },
    windows,
    ...(options.standby === undefined ? {} : { standby: options.standby }),
    ...(fleet === undefined ? {} : { fleet }),
    ...(options.keptUsual === undefined ? {} : { keptUsual: options.keptUsual }),
    journal: {
      keepTransition: (transition) => void kept.push(transition),
      keepSample: (sample) => void samples.push(sample),
    },
    notify: (transition) => void notified.push(transition),
  })
  return {
    clock,
    fallback,
    files,
    knobs,
    lines,
    kept,
    samples,
    notified,
    windows,
    flagsChanged: () => {
      for (const listener of listeners) listener()
    },
    listening: () => listeners.size,
    parsed: () => parseOverride(files.override ?? ''),
    /** Lets time pass in small steps, so that promises settle between timers. */
    async pass(ms: number): Promise<void> {
      for (let left = ms; left > 0; left -= 10) {
        clock.advance(Math.min(10, left))
        await settled()
      }
    },
    async start(): Promise<void> {
      const started = fallback.start()
      clock.advance(0)
      await settled()
      clock.advance(0)
      await started
    },
    record(
      result: 'ok' | 'error',
      times = 1,
      mode: 'direct_llm' | 'runtime_orchestrator' = 'runtime_orchestrator',
      orgId = 'org-1',
    ) {
      for (let n = 0; n < times; n += 1)
        fallback.record({
          mode,
          orgId,
          agentId: 'assistant',
          sessionId: nextSession(),
          startedAt: clock.monotonic(),
          latencyMs: 100,
          ...(result === 'ok' ? { result } : { result, code: 'runtime_unreachable', phase: 'connect' }),
        })
    },
    useRuntime(subject = SUBJECT) {
      fallback.turnDecided(
        { mode: 'runtime_orchestrator', reason: 'default', shadow: false },
        'runtime_orchestrator',
        subject,
      )
    },
  }
}

function metadataIn(text: string | undefined): Record<string, string | number | boolean> | undefined {
  try {
    return JSON.parse(text ?? '').flags['chat-runtime-fallback'].metadata
  } catch {
    return undefined
  }
}
