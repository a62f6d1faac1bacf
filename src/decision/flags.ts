import type { AgentProfile } from './agent-profile.js'
import type { Caller } from './caller.js'
import type { FlagValues, OverrideValue } from './decide.js'
import type { Guardrails } from './guardrails.js'

/** Everything the flags say about one turn. */
export interface TurnFlags extends FlagValues {
  readonly override: OverrideValue
  readonly guardrails: Guardrails
  readonly profile: AgentProfile
}

/** One fault of the flags, told once in the log and kept in the status until it is mended. */
export interface FlagFault {
  /** file path, flag key or flagd's address */
  readonly where: string
  /** 1-based, in a file */
  readonly line?: number
  /** what is wrong and what is in force instead */
  readonly message: string
  /** ISO 8601 UTC */
  readonly since: string
}

export interface FlagsStatus {
  readonly resolver: 'file' | 'in-process' | 'rpc'
  /** `ready` all well; `stale` last known good values; `unavailable` nothing was ever read: code defaults */
  readonly state: 'starting' | 'ready' | 'stale' | 'unavailable'
  readonly faults: readonly FlagFault[]
}

/** The flags as the service asks for them. Never rejects and never waits longer than the resolver's bound. */
export interface Flags {
  /** Ends when the flags are known or known to be unreachable. */
  start(): Promise<void>
  forTurn(caller: Caller): Promise<TurnFlags>
  status(): FlagsStatus
  close(): Promise<void>
}
