import type { Clock } from '../core/clock.js'
import type { Logger } from '../core/logger.js'
import type { KeptTexts } from '../core/sqlite/kept-texts.js'
import type { ChatLimits } from '../limits/chat-limits.js'
import { type FallbackPolicy, OVERRIDE_FLAG_KEY } from '../protocol/fallback.js'
import { ROLLOUT_FLAG_KEY } from '../protocol/rollout.js'
import type { AgentProfile } from './agent-profile.js'
import type { Caller } from './caller.js'
import type { FlagValues, OverrideValue } from './decide.js'
import type { Guardrails } from './guardrails.js'
import type { LlmRoute } from './llm-route.js'
import type { FlagDocument, FlagFileContent } from './read-flag-file.js'

/** The flags' keys as flagd knows them; the override's is the flag store's too. */
export const FLAG_KEYS = {
  mode: 'chat-execution-mode',
  shadow: 'chat-runtime-shadow',
  guardrails: 'chat-runtime-guardrails',
  profile: 'chat-agent-profile',
  route: 'chat-llm-route',
  policy: 'chat-runtime-fallback-policy',
  limits: 'chat-limits',
  override: OVERRIDE_FLAG_KEY,
  rollout: ROLLOUT_FLAG_KEY,
} as const
/** Those asked for each turn. */
export const TURN_FLAG_KEYS = [
  FLAG_KEYS.mode,
  FLAG_KEYS.shadow,
  FLAG_KEYS.override,
  FLAG_KEYS.rollout,
  FLAG_KEYS.guardrails,
  FLAG_KEYS.profile,
  FLAG_KEYS.route,
] as const
export type FlagName = keyof typeof FLAG_KEYS
export type FlagKey = (typeof FLAG_KEYS)[FlagName]

/** Whose a flag file is: edited by ops, or written by the service. */
export type FlagFileKind = 'ops' | 'override'

/** The flags each file owns. One key, one file: flagd's resolvers disagree about a key in two. */
export const FLAGS_OF_FILE: Readonly<Record<FlagFileKind, ReadonlySet<string>>> = {
  ops: new Set([
    FLAG_KEYS.mode,
    FLAG_KEYS.shadow,
    FLAG_KEYS.guardrails,
    FLAG_KEYS.profile,
    FLAG_KEYS.route,
    FLAG_KEYS.policy,
    FLAG_KEYS.limits,
  ]),
  override: new Set([FLAG_KEYS.override, FLAG_KEYS.rollout]),
}

/** Everything the flags say about one turn. */
export interface TurnFlags extends FlagValues {
  readonly override: OverrideValue
  readonly rollout: OverrideValue
  readonly guardrails: Guardrails
  readonly profile: AgentProfile
  readonly route: LlmRoute
}

/** What the flags say to the service itself, evaluated for nobody in particular. */
export interface ServiceFlags {
  readonly guardrails: Guardrails
  readonly policy: FallbackPolicy
  /** the override as the provider gives it now; absent if it has none, or did not answer in time */
  readonly override?: {
    readonly on: boolean
    /** flat, as it stands in the flag */
    readonly metadata: Readonly<Record<string, string | number | boolean>>
  }
  /** revision of the rollout's flag as the provider gives it now; absent where it has none */
  readonly rolloutRevision?: number
  /**
   * What `chat-execution-mode` says to everybody whom it does not name. `targeting`: a rule of it decides for all;
   * `unknown`: nobody answered in time, or the value was refused.
   */
  readonly modeForAll: 'direct' | 'runtime' | 'targeting' | 'unknown'
  /** the provider is READY (and, by rpc, flagd answers: a silent one stays READY for many seconds); file: started */
  readonly ready: boolean
}

/** One fault of the flags, told once in the log and kept in the status until it is fixed. */
export interface FlagFault {
  /** file path, flag key or flagd's address */
  readonly where: string
  /** 1-based, in a file */
  readonly line?: number
  /** what is wrong and what is in effect instead */
  readonly message: string
  /** ISO 8601 UTC */
  readonly since: string
}

export interface FlagsStatus {
  readonly resolver: 'file' | 'in-process' | 'rpc' | 'provider'
  /** `ready` all well; `stale` last known good values; `unavailable` nothing was ever read: code defaults */
  readonly state: 'starting' | 'ready' | 'stale' | 'unavailable'
  readonly faults: readonly FlagFault[]
}

export type FlagsOrigin = 'source' | 'kept' | 'nothing' | 'unread'

/** The flags as the service asks for them. Never rejects and never waits longer than the resolver's bound. */
export interface Flags {
  /** Ends when the flags are known or known to be unreachable. */
  start(): Promise<void>
  forTurn(caller: Caller): Promise<TurnFlags>
  /** The limits of an org, before anything else of a turn is known; `''`: of nobody's, which hold for all together. */
  limitsFor(orgId: string): Promise<ChatLimits>
  /** For the fallback loop: bounded like a turn, last known good values where nobody answers. */
  forService(): Promise<ServiceFlags>
  /**
   * Calls the listener whenever flags may have changed, once the new ones are in effect, with their keys; without any when
   * flagd is back and nobody knows what changed meanwhile. What it throws is logged. Returns how to stop it; ends at close.
   */
  onChange(listener: (keys: readonly string[]) => void): () => void
  status(): FlagsStatus
  /**
   * Where the operators' flags in effect come from: their own `source`; what was `kept` in the database; `nothing`, for neither
   * has any; `unread`: not the source, and the database has not answered yet.
   */
  origin(): FlagsOrigin
  /** How often the code default decided for a turn, because nothing was known of a flag; by each flag of a turn, since the start. */
  codeDefaults(): ReadonlyMap<FlagKey, number>
  close(): Promise<void>
}

/** Which flag documents are in no file. */
export type FlagDocuments = Partial<Readonly<Record<FlagFileKind, FlagDocument>>>

export interface FlagsDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** names of the direct LLM's endpoints, by which routes are checked; absent: no route is checked */
  readonly llmEndpoints?: readonly string[]
  /** where the operators' flags are kept for the next start; absent: nowhere */
  readonly kept?: KeptTexts
  /** in place of the files that the configuration names */
  readonly documents?: FlagDocuments
  /** for tests of a file system that hangs; default: from the disk */
  readonly readFlagFile?: (path: string) => Promise<FlagFileContent>
}
