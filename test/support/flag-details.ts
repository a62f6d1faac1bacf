import { ErrorCode, type EvaluationDetails, type FlagValue } from '@openfeature/server-sdk'
import type { TurnDetails, TurnEvaluations } from '../../src/decision/values/turn-flag-reader.js'

/** An answer with a variant. */
export function answer<T extends FlagValue>(value: T, reason = 'STATIC'): EvaluationDetails<T> {
  return { flagKey: 'flag', flagMetadata: {}, value, variant: 'some', reason }
}

/** An answer that the flag has no say. */
export function noVariant<T extends FlagValue>(value: T): EvaluationDetails<T> {
  return { flagKey: 'flag', flagMetadata: {}, value, reason: 'DEFAULT' }
}

export function failure<T extends FlagValue>(
  value: T,
  errorCode: ErrorCode = ErrorCode.FLAG_NOT_FOUND,
): EvaluationDetails<T> {
  return { flagKey: 'flag', flagMetadata: {}, value, reason: 'ERROR', errorCode, errorMessage: 'why' }
}

/** Six good answers; `over` replaces some. */
export function turnDetails(over: Partial<TurnDetails> = {}): TurnDetails {
  return {
    mode: answer('runtime_orchestrator'),
    shadow: answer(true),
    override: answer(false),
    rollout: answer(false),
    guardrails: answer({ gapMs: 7000 }),
    profile: answer({ model: 'm' }),
    route: answer({ endpoints: ['primary'] }),
    ...over,
  }
}

/** Nobody there: what an unreachable flagd makes of the six. */
export function nobody(errorCode: ErrorCode = ErrorCode.FLAG_NOT_FOUND): TurnDetails {
  return {
    mode: failure('direct_llm', errorCode),
    shadow: failure(false, errorCode),
    override: failure(false, errorCode),
    rollout: failure(false, errorCode),
    guardrails: failure({}, errorCode),
    profile: failure({}, errorCode),
    route: failure({}, errorCode),
  }
}

/** The six under way, each ending with its part of `details`. */
export function evaluationsOf(details: Promise<TurnDetails>): TurnEvaluations {
  return {
    mode: details.then(({ mode }) => mode),
    shadow: details.then(({ shadow }) => shadow),
    override: details.then(({ override }) => override),
    rollout: details.then(({ rollout }) => rollout),
    guardrails: details.then(({ guardrails }) => guardrails),
    profile: details.then(({ profile }) => profile),
    route: details.then(({ route }) => route),
  }
}
