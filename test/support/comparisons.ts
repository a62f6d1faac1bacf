import fc from 'fast-check'
import type { ComparedSide, Comparison, DroppedShadow, KeptExecution } from '../../src/journal/comparison.js'
import { EXECUTION_MODES } from '../../src/protocol/modes.js'
import { codePoint } from './code-point.js'

const AT = Date.UTC(2026, 0, 1)

export const sampleSide = (more: Partial<ComparedSide> = {}): ComparedSide => ({
  mode: 'direct_llm',
  result: 'ok',
  latencyMs: 1_000,
  characters: 100,
  steps: 0,
  calls: 0,
  ...more,
})

/** The direct LLM beside the runtime, both well, with nothing optional, but for what the test says. */
export const sampleComparison = (more: Partial<Comparison> = {}): Comparison => ({
  at: AT,
  replica: 'replica-a',
  orgId: 'org-1',
  agentId: 'agent-1',
  kind: 'ab',
  control: sampleSide(),
  candidate: sampleSide({ mode: 'runtime_orchestrator', latencyMs: 1_500 }),
  fenceViolations: 0,
  ...more,
})

export const sampleExecution = (more: Partial<KeptExecution> = {}): KeptExecution => ({
  at: AT,
  mode: 'direct_llm',
  orgId: 'org-1',
  result: 'ok',
  latencyMs: 1_000,
  ...more,
})

export const sampleDrop = (more: Partial<DroppedShadow> = {}): DroppedShadow => ({
  at: AT,
  replica: 'replica-a',
  orgId: 'org-1',
  agentId: 'agent-1',
  controlMode: 'direct_llm',
  reason: 'busy',
  ...more,
})

/** Within an hour of `sampleDrop`. */
export const anyDrop: fc.Arbitrary<DroppedShadow> = fc.record({
  at: fc.nat(3_600_000).map((after) => AT + after),
  replica: fc.constantFrom('replica-a', 'replica-b'),
  orgId: fc.constantFrom('org-1', 'org-2', "'; DROP TABLE drops; --"),
  agentId: fc.constantFrom('agent-1', 'agent-2'),
  controlMode: fc.constantFrom(...EXECUTION_MODES),
  reason: fc.constantFrom('busy', 'sick', 'aborted'),
})

/** Multiples of 0.1 ms, up to 24 h. */
const ms = fc.nat(864_000_000).map((tenths) => tenths / 10)
const share = fc.nat(10_000).map((parts) => parts / 10_000)
const count = fc.nat(1_000_000)

const anySide: fc.Arbitrary<ComparedSide> = fc.record(
  {
    mode: fc.constantFrom(...EXECUTION_MODES),
    result: fc.constantFrom('ok' as const, 'ok' as const, 'error' as const, 'timeout' as const),
    code: fc.constantFrom('runtime_error', 'first_content_timeout', 'x'),
    latencyMs: ms,
    firstContentMs: ms,
    tokens: count,
    characters: count,
    steps: count,
    calls: count,
  },
  { requiredKeys: ['mode', 'result', 'latencyMs', 'characters', 'steps', 'calls'] },
)

const anyControl = fc.oneof(
  { weight: 4, arbitrary: anySide },
  anySide.map((side): ComparedSide => ({ ...side, result: 'aborted' })),
)

/** Comparisons as the journal keeps them whole, within an hour of `sampleComparison`. */
export const anyComparison: fc.Arbitrary<Comparison> = fc.record(
  {
    at: fc.nat(3_600_000).map((after) => AT + after),
    replica: fc.string({ unit: codePoint, maxLength: 5 }),
    orgId: fc.constantFrom('org-1', 'org-2', "'; DROP TABLE comparisons; --"),
    agentId: fc.constantFrom('agent-1', 'agent-2'),
    kind: fc.constantFrom('ab' as const, 'aa' as const),
    control: anyControl,
    candidate: anySide,
    textSimilarity: share,
    planSimilarity: share,
    callSetSimilarity: share,
    callOrderSimilarity: share,
    fenceViolations: fc.nat(3),
    aaPercent: fc.nat(100),
  },
  { requiredKeys: ['at', 'replica', 'orgId', 'agentId', 'kind', 'control', 'candidate', 'fenceViolations'] },
)
