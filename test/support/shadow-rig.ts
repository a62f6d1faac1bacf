import type { ChatBackend, Turn } from '../../src/execution/backend.js'
import type { ExecutionLimits } from '../../src/execution/execution.js'
import type { Outcome } from '../../src/execution/outcome.js'
import type { Comparison, DroppedShadow } from '../../src/journal/comparison.js'
import type { ExecutionMode } from '../../src/protocol/modes.js'
import type { Pressure } from '../../src/shadow/run/loop-pressure.js'
import {
  createShadowRunner,
  type ShadowHandle,
  type ShadowRunnerDeps,
} from '../../src/shadow/run/shadow-runner.js'
import { capturingLogger } from './capturing-logger.js'
import { manualClock } from './manual-clock.js'
import { sampleLimits, sampleTurn } from './sample-turn.js'
import { answering } from './scripted-backend.js'
import { settled } from './turn-runner.js'

/** A shadow runner among scripted backends on a clock of the test, with its knobs. */
export function shadowRig(
  backends: Partial<Record<ExecutionMode, ChatBackend>> = {},
  overrides: Partial<ShadowRunnerDeps> = {},
) {
  const clock = manualClock()
  const { logger, lines } = capturingLogger()
  const kept: Comparison[] = []
  const drops: DroppedShadow[] = []
  const knobs = {
    pressure: 'none' as Pressure,
    sick: new Set<ExecutionMode>(),
    aaPercent: 0,
    keepContent: false,
    /** the requests of controls are not on their way yet */
    connecting: false,
  }
  let ids = 0
  const runner = createShadowRunner({
    backends: {
      direct_llm: answering('direct_llm', 'Hello from direct'),
      runtime_orchestrator: answering('runtime_orchestrator', 'Hello from runtime'),
      ...backends,
    },
    clock,
    logger,
    ids: {
      newId() {
        ids += 1
        return `id-${ids}`
      },
    },
    replica: 'replica-1',
    settings: () => knobs,
    pressure: () => knobs.pressure,
    sick: (mode) => knobs.sick.has(mode),
    keep: (comparison) => kept.push(comparison),
    keepDrop: (drop) => drops.push(drop),
    ...overrides,
  })
  let turns = 0
  const consider = (
    mode: ExecutionMode = 'direct_llm',
    turn: Partial<Turn> = {},
    limits: ExecutionLimits = sampleLimits,
  ): ShadowHandle | undefined => {
    turns += 1
    const messageId = `message-${turns}`
    const handle = runner.consider(
      sampleTurn({ messageId, ...turn }),
      { mode, reason: 'default', shadow: true },
      limits,
    )
    if (!knobs.connecting) handle?.underWay()
    return handle
  }
  return {
    runner,
    clock,
    lines,
    kept,
    drops,
    knobs,
    consider,
    dropped: () =>
      Object.fromEntries(Object.entries(runner.counts().dropped).filter(([, count]) => count > 0)),
    /** Everything that is due now happens, and what follows from it. */
    async rounds(count = 10): Promise<void> {
      for (let round = 0; round < count; round += 1) {
        clock.advance(0)
        await settled()
      }
    },
  }
}

/** How a control ended; the test overrides what it is about. */
export function controlOutcome(overrides: Partial<Outcome> = {}): Outcome {
  return {
    mode: 'direct_llm',
    result: 'ok',
    orgId: 'org-1',
    startedAt: 0,
    latencyMs: 40,
    firstContentMs: 10,
    ...overrides,
  } as Outcome
}
