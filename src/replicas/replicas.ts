import { REPLICA_STATES, type ReplicaState } from '../protocol/fallback.js'

/** One replica as it told of itself. */
export interface ReplicaNote {
  readonly name: string
  /** of the package */
  readonly version: string
  readonly state: ReplicaState
}

/** Instants are wall-clock ms of the replica itself. */
export interface SeenReplica extends ReplicaNote {
  /** when a replica of this name was first seen, within the day for which a silent one is remembered */
  readonly firstSeen: number
  readonly lastSeen: number
}

/** What the replicas that share a database report about themselves. Every call rejects while the database does not answer. */
export interface ReplicaTable {
  /** Keeps what a replica says of itself now, forgets those not seen since `forgetBefore`, and reads at most `limit`: the newest first. */
  exchange(
    own: ReplicaNote,
    now: number,
    forgetBefore: number,
    limit: number,
  ): Promise<readonly SeenReplica[]>
  close(): void | Promise<void>
}

/** A row of the table: name, first seen, last seen, version, state. Undefined for a state of a later version. */
export function seenOf([name, firstSeen, lastSeen, version, word]: readonly unknown[]):
  | SeenReplica
  | undefined {
  const state = REPLICA_STATES.find((one) => one === word)
  if (state === undefined) return undefined
  return {
    name: String(name),
    version: String(version),
    state,
    firstSeen: Number(firstSeen),
    lastSeen: Number(lastSeen),
  }
}
