import {
  ErrorCode,
  type EvaluationDetails,
  type FlagValue,
  StandardResolutionReasons,
} from '@openfeature/server-sdk'
import { FALLBACK_POLICIES, type FallbackPolicy } from '../../protocol/fallback.js'
import { type DecisionReason, EXECUTION_MODES, type ExecutionMode } from '../../protocol/modes.js'
import type { Evaluated } from '../decide.js'
import type { Parsed } from './value-parser.js'

/**
 * What an evaluation came to. `default`: the flags have no say, by their owner's will. `away`: nobody could be asked.
 */
export type FlagResult<T> = Parsed<T> | { readonly kind: 'default' } | { readonly kind: 'away' }

const DEFAULT = { kind: 'default' } as const
const AWAY = { kind: 'away' } as const

/** Reads one answer; `undefined` is one that did not come in time. */
export function resultOf<T>(
  details: EvaluationDetails<FlagValue> | undefined,
  parse: (raw: unknown) => Parsed<T>,
  whenAbsent: () => 'default' | 'away',
): FlagResult<T> {
  if (details === undefined) return AWAY
  switch (details.errorCode) {
    case undefined:
      // No variant: defaultVariant is null, or the flag is disabled.
      return details.variant ? parse(details.value) : DEFAULT
    case ErrorCode.FLAG_NOT_FOUND:
      return whenAbsent() === 'default' ? DEFAULT : AWAY
    case ErrorCode.PROVIDER_NOT_READY:
    case ErrorCode.PROVIDER_FATAL:
      return AWAY
    default:
      return { kind: 'refused', message: details.errorMessage ?? details.errorCode }
  }
}

/** No say of any flag in it: no answer in time, no provider, no such flag. */
export function isUnanswered(details: EvaluationDetails<FlagValue> | undefined): boolean {
  if (details === undefined) return true
  const { errorCode } = details
  return (
    errorCode === ErrorCode.FLAG_NOT_FOUND ||
    errorCode === ErrorCode.PROVIDER_NOT_READY ||
    errorCode === ErrorCode.PROVIDER_FATAL
  )
}

export function parseBoolean(raw: unknown): Parsed<boolean> {
  return raw === true ? TRUE : raw === false ? FALSE : { kind: 'refused', message: 'the value is no boolean' }
}

const TRUE = { kind: 'value', value: true } as const
const FALSE = { kind: 'value', value: false } as const

export function parseMode(raw: unknown): Parsed<ExecutionMode> {
  if (raw === 'direct_llm') return DIRECT
  if (raw === 'runtime_orchestrator') return RUNTIME
  return { kind: 'refused', message: `the value is not one of ${EXECUTION_MODES.join(', ')}` }
}

export function parsePolicy(raw: unknown): Parsed<FallbackPolicy> {
  const value = FALLBACK_POLICIES.find((policy) => policy === raw)
  if (value !== undefined) return { kind: 'value', value }
  return { kind: 'refused', message: `the value is not one of ${FALLBACK_POLICIES.join(', ')}` }
}

const DIRECT = { kind: 'value', value: 'direct_llm' } as const
const RUNTIME = { kind: 'value', value: 'runtime_orchestrator' } as const

type ModeReason = Exclude<DecisionReason, 'fallback' | 'rollout'>

/** Why a variant was chosen, in the words of a decision. */
export function reasonOf(details: EvaluationDetails<FlagValue>): 'targeting_match' | 'default' {
  return details.reason === StandardResolutionReasons.TARGETING_MATCH ? 'targeting_match' : 'default'
}

/** One object for each value and reason, so that equal decisions are identical and a turn makes none. */
export function evaluatedMode(mode: ExecutionMode, reason: ModeReason): Evaluated<ExecutionMode> {
  return EVALUATED[mode][reason]
}

/** A last known good mode. */
export function staleMode(mode: ExecutionMode, isTargeted: boolean): Evaluated<ExecutionMode> {
  return (isTargeted ? STALE_TARGETED : EVALUATED)[mode].stale
}

const withReasons = (value: ExecutionMode): Readonly<Record<ModeReason, Evaluated<ExecutionMode>>> => ({
  targeting_match: { value, reason: 'targeting_match' },
  default: { value, reason: 'default' },
  code_default: { value, reason: 'code_default' },
  stale: { value, reason: 'stale' },
})

const STALE_TARGETED = {
  direct_llm: { stale: { value: 'direct_llm', reason: 'stale', targeted: true } },
  runtime_orchestrator: { stale: { value: 'runtime_orchestrator', reason: 'stale', targeted: true } },
} as const

const EVALUATED = {
  direct_llm: withReasons('direct_llm'),
  runtime_orchestrator: withReasons('runtime_orchestrator'),
}
