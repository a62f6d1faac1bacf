import type { EvaluationDetails, JsonValue } from '@openfeature/server-sdk'
import type { Clock } from '../../core/clock.js'
import type { ChatLimits } from '../../limits/chat-limits.js'
import type { LimitValues } from '../values/limit-values.js'
import { startBudget } from './answer-budget.js'

/** An org's limits by an answer that a turn waits 50 ms for; then what is known counts, and the late answer holds for later turns. */
export async function limitsInTime(
  limits: LimitValues,
  orgId: string,
  answer: Promise<EvaluationDetails<JsonValue>>,
  { clock, isClosed }: { readonly clock: Clock; isClosed(): boolean },
): Promise<ChatLimits> {
  const { generation } = limits
  const budget = startBudget(clock)
  const details = await budget.inTime(answer)
  budget.end()
  if (details === undefined) void answer.then((late) => isClosed() || limits.resolve(orgId, late, generation))
  return limits.resolve(orgId, details, generation)
}
