import { z } from 'zod'

/**
 * Value of flag `chat-limits`. An absent field takes the default below; a wrong value refuses the whole. An unknown field is dropped
 * (and told): replicas of two versions can read one file. 0: no limit.
 */
const limit = (most: number) => z.number().int().min(0).max(most).nullable().default(null)

export const chatLimitsSchema = z.object({
  /** open streams of one process; null: CHAT_MAX_STREAMS. As evaluated for nobody's org: it holds for all. */
  maxStreams: z.number().int().min(1).max(1_000_000).nullable().default(null),
  /** turns of one user that run at a time, and as many readers of them; null: no limit */
  streamsPerUser: limit(1_000_000),
  /** the same of one org; null: no limit */
  streamsPerOrg: limit(1_000_000),
  /** null: CHAT_RATE_LIMIT_PER_MINUTE */
  startsPerMinutePerUser: limit(1_000_000),
  /** null: no limit */
  startsPerMinutePerOrg: limit(10_000_000),
  /** tokens of the answers of one org in a UTC day, all replicas of a database together; null: no limit */
  tokensPerDayPerOrg: limit(1_000_000_000_000),
  /** shares of the places by org while all are taken; an org that is not named has 1 */
  weights: z.record(z.string().min(1).max(200), z.number().min(0.01).max(1000)).default({}),
  /** ms that the event loop may be late before new sessions are refused; 0: it is not watched */
  overloadDelayMs: z.number().int().min(0).max(60_000).default(100),
})

export type ChatLimits = Readonly<z.infer<typeof chatLimitsSchema>>

/** As it was before the flag: what the environment says, and no other limit. */
export const DEFAULT_CHAT_LIMITS: ChatLimits = chatLimitsSchema.parse({})

/** What the environment says where the flag does not. */
export interface EnvironmentLimits {
  /** CHAT_MAX_STREAMS */
  readonly maxStreams: number
  /** CHAT_RATE_LIMIT_PER_MINUTE; 0: no limit */
  readonly turnsPerMinute: number
}

/** Share of an org among those that wait for a place. */
export const weightOf = ({ weights }: ChatLimits, orgId: string): number =>
  Object.hasOwn(weights, orgId) ? (weights[orgId] ?? 1) : 1
