/**
 * Guardrails of a drill: a whole trip and recovery in seconds. What is left out is as shipped. Deadlines leave room for a
 * busy machine: a drill is not about how fast the simulators are.
 */
export const DRILL = {
  minSamples: 10,
  windowSeconds: 30,
  fastWindowSeconds: 3,
  tickMs: 100,
  probeIntervalMs: 200,
  probeTimeoutMs: 1000,
  holdSeconds: 1,
  maxHoldSeconds: 2,
  quietSeconds: 2,
  recoveryShadowPercent: 100,
  rampStepSeconds: 1,
  leaseSeconds: 5,
  connectMs: 3000,
  headersMs: 3000,
  firstContentMs: 4000,
  gapMs: 4000,
  totalMs: 16_000,
  llm: { connectMs: 3000, headersMs: 3000, firstContentMs: 4000, gapMs: 4000 },
} as const

/**
 * No overload protection: replicas, engines and load of a drill share the processors of one machine. That these are busy is not
 * what a drill is about, and turns refused for it would hide what is.
 */
export const DRILL_LIMITS = { overloadDelayMs: 0 } as const

/** Answers take their time, so that some turns are always before and some after their commit point. */
export const PACE = { firstContentDelayMs: 30, gapMs: 15 } as const
