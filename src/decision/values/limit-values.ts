import type { EvaluationDetails, JsonValue } from '@openfeature/server-sdk'
import { createLru } from '../../core/lru.js'
import { type ChatLimits, chatLimitsSchema, DEFAULT_CHAT_LIMITS } from '../../limits/chat-limits.js'
import { type Caller, NOBODY } from '../caller.js'
import { FLAG_KEYS } from '../flags.js'
import { type FlagResult, resultOf } from './flag-result.js'
import type { KeptFlags } from './kept-flags.js'
import type { RefusedFlags } from './refused-flags.js'
import { createValueParser } from './value-parser.js'

/** orgs remembered */
const CAPACITY = 10_000

interface Known {
  readonly limits: ChatLimits
  /** of the flags, when they were asked */
  readonly generation: number
}

/** For whom limits are asked: an org alone, so that one answer holds for all its turns. Shares are by org. */
export const callerOfOrg = (orgId: string): Caller =>
  orgId === NOBODY.orgId ? NOBODY : { ...NOBODY, orgId, sessionId: orgId }

/**
 * The flag `chat-limits` by org. An answer holds until the flags change: a turn costs a look into a map, not an evaluation. Where it is
 * refused, or nobody answers: the last good value of the org, then of nobody's org, then what was kept, then no limits.
 */
export class LimitValues {
  readonly #known = createLru<string, Known>(CAPACITY)
  readonly #parse = createValueParser<ChatLimits, ChatLimits>(chatLimitsSchema, (value) => value)
  #generation = 0

  constructor(
    private readonly whenAbsent: () => 'default' | 'away',
    private readonly refused: RefusedFlags,
    private readonly kept: Pick<KeptFlags, 'limits'>,
  ) {}

  /** Flags changed: these, or, without any, nobody knows which. */
  flagsChanged(keys: readonly string[]): void {
    if (keys.length === 0 || keys.includes(FLAG_KEYS.limits)) this.#generation += 1
  }

  /** To be handed back with the answer: flags may change before it comes. */
  get generation(): number {
    return this.#generation
  }

  /** What the present flags say, where they were asked already. */
  current(orgId: string): ChatLimits | undefined {
    const known = this.#known.get(orgId)
    return known?.generation === this.#generation ? known.limits : undefined
  }

  /** What is known without asking anybody. */
  recall(orgId: string): ChatLimits {
    const known = this.#known.get(orgId) ?? this.#known.get(NOBODY.orgId)
    if (known !== undefined) return known.limits
    const kept = resultOf(this.kept.limits(callerOfOrg(orgId)), this.#parse, () => 'away')
    return kept.kind === 'value' ? kept.value : DEFAULT_CHAT_LIMITS
  }

  /** Takes an answer over, and remembers it. @param details absent: none came in time */
  resolve(
    orgId: string,
    details: EvaluationDetails<JsonValue> | undefined,
    generation = this.#generation,
  ): ChatLimits {
    const result = resultOf(details, this.#parse, this.whenAbsent)
    const limits = this.#limitsOf(orgId, result)
    if (result.kind !== 'away') this.#known.set(orgId, { limits, generation })
    return limits
  }

  #limitsOf(orgId: string, result: FlagResult<ChatLimits>): ChatLimits {
    switch (result.kind) {
      case 'value':
        this.refused.accept(FLAG_KEYS.limits, result.unknown)
        return result.value
      case 'default':
        this.refused.accept(FLAG_KEYS.limits)
        return DEFAULT_CHAT_LIMITS
      case 'refused':
        this.refused.refuse(FLAG_KEYS.limits, result.message)
        return this.recall(orgId)
      case 'away':
        return this.recall(orgId)
    }
  }
}
