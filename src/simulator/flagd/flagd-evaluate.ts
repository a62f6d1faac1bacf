import { status } from '@grpc/grpc-js'
import { FlagdCore } from '@openfeature/flagd-core'
import type { EvaluationContext, JsonValue } from '@openfeature/server-sdk'
import type { SourceFlag } from './flagd-source.js'
import { isRecord } from './flagd-struct.js'

export type FlagType = 'boolean' | 'string' | 'number' | 'object'

/** `value` and `variant` are both missing where the caller's code default decides. */
export interface Evaluated {
  readonly ok: true
  readonly value?: JsonValue
  readonly variant?: string
  readonly reason: string
  readonly metadata: Readonly<Record<string, string | number | boolean>>
}

/** One evaluation as flagd's service answers it; a failure is a gRPC status with flagd's own text. */
export type Evaluation = Evaluated | { readonly ok: false; readonly code: status; readonly details: string }

const FLAG_NOT_FOUND: Evaluation = { ok: false, code: status.NOT_FOUND, details: 'Flag not found' }
const TYPE_MISMATCH: Evaluation = { ok: false, code: status.INVALID_ARGUMENT, details: 'Type mismatch error' }
const GENERAL: Evaluation = { ok: false, code: status.UNKNOWN, details: 'General error' }
const PARSE_ERROR: Evaluation = {
  ok: false,
  code: status.DATA_LOSS,
  details: 'Error parsing input or configuration',
}

const silent = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }
const ZERO: Record<FlagType, JsonValue> = { boolean: false, string: '', number: 0, object: {} }

/** Evaluates flags by flagd-core and answers in the daemon's terms (`flag_evaluator_v2.go`). */
export class FlagdEvaluator {
  readonly #core = new FlagdCore(undefined, silent)
  /** flags whose targeting is an empty text, or a bare number, boolean or list: flagd fails there, flagd-core ignores some */
  #nonsense: ReadonlySet<string> = new Set()
  /** flags whose targeting is `null`, which flagd takes for a rule that decides nothing, and flagd-core for none */
  #undecided: ReadonlySet<string> = new Set()
  #next: ReadonlyMap<string, SourceFlag> | undefined

  /** Takes effect with the next evaluation: where every client evaluates in-process, nothing is compiled here. */
  load(flags: ReadonlyMap<string, SourceFlag>): void {
    this.#next = flags
  }

  evaluate(type: FlagType, key: string, context: EvaluationContext): Evaluation {
    this.#compile()
    const resolved = this.#resolve(type, key, context)
    if (resolved === undefined) return GENERAL
    const { value, reason, variant, errorCode, flagMetadata } = resolved
    if (reason !== 'DISABLED' && this.#nonsense.has(key)) return GENERAL
    if (errorCode !== undefined) return failure(errorCode)
    const told = reason === 'STATIC' && this.#undecided.has(key) ? 'DEFAULT' : reason
    const answer = { ok: true, reason: told ?? 'UNKNOWN', metadata: flagMetadata } as const
    if (variant === undefined) return answer
    return type === 'object' && !isRecord(value) ? TYPE_MISMATCH : { ...answer, value, variant }
  }

  /** flagd-core throws where a targeting results in an object that cannot be made a text. */
  #resolve(type: FlagType, key: string, context: EvaluationContext) {
    try {
      return this.#core.resolve(type, key, ZERO[type], context)
    } catch {
      return undefined
    }
  }

  #compile(): void {
    const flags = this.#next
    if (flags === undefined) return
    this.#next = undefined
    const known = [...flags].map(([key, flag]) => [
      key,
      { ...flag, state: knownState(flag.state), variants: flag.variants ?? {} },
    ])
    this.#core.setConfigurations(JSON.stringify({ flags: Object.fromEntries(known) }))
    this.#nonsense = new Set([...flags.keys()].filter((key) => isNonsense(flags.get(key)?.targeting)))
    this.#undecided = new Set([...flags.keys()].filter((key) => flags.get(key)?.targeting === null))
  }
}

function failure(errorCode: string): Evaluation {
  if (errorCode === 'FLAG_NOT_FOUND') return FLAG_NOT_FOUND
  if (errorCode === 'TYPE_MISMATCH') return TYPE_MISMATCH
  return errorCode === 'PARSE_ERROR' ? PARSE_ERROR : GENERAL
}

// flagd takes any state but DISABLED as enabled; flagd-core refuses everything for one wrong state
const knownState = (state: string) => (state === 'DISABLED' ? 'DISABLED' : 'ENABLED')

const isNonsense = (targeting: unknown) =>
  targeting === '' || (targeting != null && typeof targeting !== 'string' && !isRecord(targeting))
