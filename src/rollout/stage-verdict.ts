import type { FallbackGuardrails, RuntimeWindows } from '../fallback/evidence/evidence.js'
import { isRecovered, judgeRuntime } from '../fallback/evidence/verdict.js'
import type { Breach } from '../store/rollout/rollout.js'

/** What the executions of a stage say. Only `breach` goes back, only `healthy` goes on. */
export type StageVerdict =
  | { readonly kind: 'breach'; readonly breach: Breach }
  | { readonly kind: 'healthy' }
  /** `samples`: too few executions; `rates`: no breach, but not good enough for more traffic */
  | { readonly kind: 'insufficient_data'; readonly lacks: 'samples' | 'rates' }

/**
 * Judged as the fallback judges: a breach by its rules; healthy is what it asks of a runtime that gets more traffic, rates at
 * most half the thresholds and a mean latency under its own, over as many executions as the guardrails ask for.
 */
export function judgeStage(runtime: RuntimeWindows, guardrails: FallbackGuardrails): StageVerdict {
  const verdict = judgeRuntime({ runtime }, guardrails)
  switch (verdict.kind) {
    case 'breach': {
      const { cause, value, threshold } = verdict.trip
      // Executions never breach by a person's hand: the type alone allows it.
      return { kind: 'breach', breach: { cause: cause === 'manual' ? 'health' : cause, value, threshold } }
    }
    case 'healthy':
      return isRecovered(runtime.slow, guardrails)
        ? { kind: 'healthy' }
        : { kind: 'insufficient_data', lacks: 'rates' }
    case 'insufficient_data':
      return { kind: 'insufficient_data', lacks: 'samples' }
  }
}
