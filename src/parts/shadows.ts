import type { FallbackSnapshot } from '../fallback/fallback.js'
import type { LoopGuardrails, RunningFallback } from '../fallback/loop/running-fallback.js'
import type { Journal } from '../journal/journal.js'
import type { OverloadWatch } from '../limits/overload.js'
import type { JudgedWindow, Tally } from '../metrics/windows/windows.js'
import type { FenceGate } from '../shadow/run/fence-gate.js'
import { createRecoveryShadows, type RecoveryShadows } from '../shadow/run/recovery-shadows.js'
import { createShadowing } from '../shadow/run/shadowing.js'
import type { Backends } from './backends.js'
import type { Judged } from './judged.js'
import { ids, type Surroundings } from './surroundings.js'

interface RecoveryParts {
  readonly backends: Backends
  readonly fallback: RunningFallback
  readonly fence: FenceGate | undefined
  readonly journal: Journal
  readonly overload: OverloadWatch
}

export function openRecoveryShadows(
  { backends, fallback, fence, journal, overload }: RecoveryParts,
  { deadlines: clock, logger }: Surroundings,
): RecoveryShadows {
  return createRecoveryShadows({
    runtime: backends.runtime_orchestrator,
    clock,
    logger,
    ids,
    random: Math.random,
    settings: () => ({ percent: fallback.guardrails.recoveryShadowPercent }),
    allowed: (subject) => overload.level < 2 && fallback.maySpareShadow(subject),
    record: (outcome) => {
      fallback.recordShadow(outcome)
      const { result, localFault } = outcome
      if (result === 'aborted' || localFault !== undefined) return
      const { mode, orgId, agentId, sessionId, latencyMs, firstContentMs } = outcome
      journal.keepExecution({
        at: clock.wall(),
        mode,
        orgId,
        agentId,
        ...(sessionId === undefined ? {} : { sessionId }),
        result,
        shadow: true,
        latencyMs,
        ...(firstContentMs === undefined ? {} : { firstContentMs }),
      })
    },
    ...(fence === undefined ? {} : { fence }),
  })
}

interface ShadowParts {
  readonly backends: Backends
  readonly judged: Judged
  readonly fallback: RunningFallback
  readonly fence: FenceGate | undefined
  readonly journal: Journal
  readonly overload: OverloadWatch
}

export function openShadows(parts: ShadowParts, { config, clock, deadlines, pulse, logger }: Surroundings) {
  const { backends, judged, fallback, fence, journal, overload } = parts
  return createShadowing({
    backends,
    clock,
    deadlines,
    pulse,
    logger,
    ids,
    replica: config.replica,
    settings: () => config.shadow,
    maxConcurrent: config.shadow.maxConcurrent,
    isOverloaded: () => overload.level > 0,
    ...(fence === undefined ? {} : { fence }),
    keep: (comparison) => journal.keepComparison(comparison),
    keepDrop: (drop) => journal.keepDrop(drop),
    control: {
      fallbackNormal: () => isNormal(fallback.snapshot()),
      tallies: (mode) =>
        recentTallies(judged[mode === 'direct_llm' ? 'direct' : 'runtime'], fallback.guardrails),
      guardrails: () => fallback.guardrails,
    },
  })
}

const isNormal = ({ override, isolated }: FallbackSnapshot): boolean =>
  override.auto.state === 'normal' && !isolated

/** The newest executions of users, and all of the window. */
function recentTallies(window: JudgedWindow, guardrails: LoopGuardrails): readonly Tally[] {
  const windowMs = guardrails.windowSeconds * 1000
  const fastMs = guardrails.fastWindowSeconds * 1000
  return [window.newest(fastMs, guardrails.minSamples, windowMs), window.tally(windowMs)]
}
