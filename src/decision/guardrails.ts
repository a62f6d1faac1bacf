import { z } from 'zod'

/**
 * Value of flag `chat-runtime-guardrails`. An absent field takes the default below; a wrong value refuses the whole. An unknown
 * field is dropped (and told): replicas of two versions can read one file.
 */
const rate = z.number().min(0).max(1)
const ms = (least: number, most = 86_400_000) => z.number().int().min(least).max(most)
const percent = z.number().int().min(0).max(100)

export const guardrailsSchema = z.object({
  /** breach above; null: CHAT_RUNTIME_ERROR_RATE_THRESHOLD */
  errorRate: rate.nullable().default(null),
  timeoutRate: rate.default(0.3),
  /** mean latency breaches above this share of `totalMs` */
  latencyShare: z.number().gt(0).max(1).default(0.8),
  minSamples: z.number().int().min(1).max(1_000_000).default(10),
  /** 0, or the confidence of a Wilson bound in place of `minSamples` */
  confidence: z.number().min(0).lt(1).default(0),
  windowSeconds: z.number().int().min(1).max(86_400).default(300),
  fastWindowSeconds: z.number().int().min(1).max(86_400).default(10),
  tickMs: ms(100, 60_000).default(1000),
  probeIntervalMs: ms(100, 600_000).default(1000),
  probeTimeoutMs: ms(10, 600_000).default(2000),
  /** probes of a burst, all of which must be bad: then the runtime is unhealthy */
  probeFailures: z.number().int().min(1).max(1000).default(6),
  holdSeconds: z.number().int().min(1).max(86_400).default(30),
  maxHoldSeconds: z.number().int().min(1).max(604_800).default(900),
  quietSeconds: z.number().int().min(1).max(604_800).default(300),
  recoverySamples: z.number().int().min(1).max(1_000_000).default(5),
  recoveryShadowPercent: percent.default(5),
  rampPercents: z
    .array(percent.min(1))
    .min(1)
    .refine((steps) => steps.every((step, at) => at === 0 || step > (steps[at - 1] ?? 0)), {
      error: 'must rise',
      params: { 'zh-CN': '必须递增' },
    })
    .refine((steps) => steps.at(-1) === 100, {
      error: 'must end with 100',
      params: { 'zh-CN': '最后一项必须是 100' },
    })
    .default([5, 25, 100]),
  rampStepSeconds: z.number().int().min(1).max(604_800).default(30),
  leaseSeconds: z.number().int().min(1).max(3600).default(15),
  /** an org or agent that fails alone falls back alone */
  scoped: z.boolean().default(true),
  connectMs: ms(1).default(3000),
  headersMs: ms(1).default(10_000),
  firstContentMs: ms(1).default(60_000),
  gapMs: ms(1).default(60_000),
  /** of the whole turn; null: CHAT_RUNTIME_TIMEOUT_THRESHOLD_MS */
  totalMs: ms(1).nullable().default(null),
  /** ms a user waits before the commit point; who leaves later than that counts as a timeout */
  abandonAfterMs: ms(1).default(3000),
  /** failures in a row that are a breach where there are too few executions for rates */
  consecutiveFailures: z.number().int().min(1).max(1000).default(5),
  /** ms; the 95th percentile of the time to the first content breaches above; null: not judged */
  firstContentP95Ms: ms(1).nullable().default(null),
  /** deadlines of the direct LLM in place of the four of these names: nobody answers after it, and a cold model takes a minute to load */
  llm: z
    .object({
      connectMs: ms(1).default(3000),
      headersMs: ms(1).default(120_000),
      firstContentMs: ms(1).default(120_000),
      gapMs: ms(1).default(60_000),
    })
    .prefault({}),
  softFailures: z
    .array(z.string().min(1).max(1000))
    .max(100)
    .default([
      'I encountered an error:',
      'I completed the task but encountered an issue generating the response:',
    ]),
})

export type GuardrailsValue = z.infer<typeof guardrailsSchema>

/** The guardrails with the environment's values in place of null. */
export type Guardrails = Readonly<Omit<GuardrailsValue, 'errorRate' | 'totalMs'>> & {
  readonly errorRate: number
  readonly totalMs: number
}

/** Fills the two nullable fields from the environment. */
export function resolveGuardrails(
  value: GuardrailsValue,
  environment: { readonly errorRate: number; readonly totalMs: number },
): Guardrails {
  return {
    ...value,
    errorRate: value.errorRate ?? environment.errorRate,
    totalMs: value.totalMs ?? environment.totalMs,
  }
}
